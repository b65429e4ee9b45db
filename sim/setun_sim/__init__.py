"""Golden interpreter and cycle-exact simulator of setun programs."""
