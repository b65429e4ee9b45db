"""Front end: external memory, descriptors, transfers and control."""
