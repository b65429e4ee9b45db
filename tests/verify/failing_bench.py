"""Runs under cocotb and fails, to show how a failure reaches the caller."""

import cocotb


@cocotb.test()
async def refuses(dut) -> None:
    raise RuntimeError("the accelerator never answered")
