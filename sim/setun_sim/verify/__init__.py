"""The proof: the generated Verilog under Verilator and cocotb, against golden and simulator."""
