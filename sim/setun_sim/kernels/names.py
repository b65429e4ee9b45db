"""Places in the arrays that the compiled kernels and their callers share."""

#: places in the counts that :func:`setun_sim.kernels.compute` adds to
PRODUCTS, UPDATES, NONZERO_ACTIVATIONS, PADDING_READS, WORST_SUM, WORST_RESIDUAL, FAULT = range(7)
COUNTS = 7
#: values of the FAULT count
WRITE_FAULT, RESIDUAL_READ_FAULT, RESIDUAL_WRITE_FAULT = 1, 2, 3
#: rows of the fixed-point parameters; offsets hold the half that rounding adds; r stands in AFTER with residual_after
M, M2, R, B, PIVOT, M0, B0, M1, B1, AFTER = range(10)

#: channels side by side come in multiples of this: full vectors, with no remainder to be done one by one
VECTOR = 32
#: words at the end of each bank that hold what positions beside the map read as, one for each activation digit
PADS = 8
