"""A host on the control port, cycle by cycle."""

from typing import Any

from amaranth.sim import SimulatorContext


class Host:
    """Reads and writes registers through signals named ``<prefix>awaddr`` and so on."""

    def __init__(self, dut: Any, prefix: str) -> None:
        self.dut, self.prefix = dut, prefix

    def _port(self, name: str) -> Any:
        return getattr(self.dut, self.prefix + name)

    async def write(self, ctx: SimulatorContext, address: int, value: int, *, strobe: int = 15, late: int = 0) -> None:
        """One write; its data come ``late`` cycles after its address."""
        ctx.set(self._port("awaddr"), address)
        ctx.set(self._port("awvalid"), 1)
        for _ in range(late):
            assert not ctx.get(self._port("awready"))
            await ctx.tick()
        ctx.set(self._port("wdata"), value)
        ctx.set(self._port("wstrb"), strobe)
        ctx.set(self._port("wvalid"), 1)
        while not (ctx.get(self._port("awready")) and ctx.get(self._port("wready"))):
            await ctx.tick()
        await ctx.tick()
        ctx.set(self._port("awvalid"), 0)
        ctx.set(self._port("wvalid"), 0)
        ctx.set(self._port("bready"), 1)
        assert ctx.get(self._port("bvalid"))
        assert ctx.get(self._port("bresp")) == 0
        await ctx.tick()
        ctx.set(self._port("bready"), 0)
        assert not ctx.get(self._port("bvalid"))

    async def read(self, ctx: SimulatorContext, address: int, *, late: int = 0) -> int:
        """One read, its data taken ``late`` cycles after they are there."""
        ctx.set(self._port("araddr"), address)
        ctx.set(self._port("arvalid"), 1)
        while not ctx.get(self._port("arready")):
            await ctx.tick()
        await ctx.tick()
        ctx.set(self._port("arvalid"), 0)
        while not ctx.get(self._port("rvalid")):
            await ctx.tick()
        value = int(ctx.get(self._port("rdata")))
        for _ in range(late):
            await ctx.tick()
            assert ctx.get(self._port("rvalid"))
            assert ctx.get(self._port("rdata")) == value
        assert ctx.get(self._port("rresp")) == 0
        ctx.set(self._port("rready"), 1)
        await ctx.tick()
        ctx.set(self._port("rready"), 0)
        return value
