"""The Runs of an op whose features are whole on chip."""

from setun_compiler.backend.plan import Buffer, Op, Run


def runs(op: Op, index: int, buffers: dict[str, Buffer], rows: int) -> list[Run]:
    """One Run for each segment of an op; ``rows`` output rows of a strip."""
    source = buffers[op.source] if op.source is not None else None
    step = op.row_step
    if rows == 1 and source is not None:
        # a single output row never advances; this keeps in_strip_rows = row_step * out_rows where the field allows it
        step = source.strip_rows if source.strip_rows < 256 else 1
    return [
        Run(
            op=index, segment=segment, source=source,
            target=buffers[op.target] if op.target is not None else None,
            operand=buffers[op.operand.source] if op.operand is not None else None,
            fixed=buffers[op.fixed] if op.fixed is not None else None,
            out_rows=rows, row_step=step, pad_top=op.pad_top,
        )
        for segment in range(len(op.segments))
    ]  # fmt: skip
