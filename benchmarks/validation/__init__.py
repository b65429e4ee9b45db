"""Sections of docs/validation.md, one module each."""
