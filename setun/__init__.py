"""Ternary neural network accelerators: compile, simulate, generate, prove equal."""
