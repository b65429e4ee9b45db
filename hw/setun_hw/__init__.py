"""Configuration, descriptors and the Verilog generator of the setun accelerator."""
