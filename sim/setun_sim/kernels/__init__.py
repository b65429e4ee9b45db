"""Compiled inner loops of the fast simulator's COMPUTE, on bit planes.

A word of N digits is two planes of N bits: for trits the positive and the negative rail, for radix-4 digits the low and
the high bit. A plane is kept in U unsigned integers of one type (16, 32 or 64 bits; U > 1 only above 64 lanes).
An activation memory is ``memory[image, strip, word, plane, unit]``, a residual memory ``residual[image, strip,
element]``, W elements to a word. The sums of many channels lie side by side, so that one vector instruction counts the
products of many, and what does not depend on an image is worked out once for all of them.
"""
