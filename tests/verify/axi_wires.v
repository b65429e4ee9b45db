// An AXI4 port without a master behind it: the bench plays the master by hand, cycle by cycle.
module axi_wires(
  input clk,
  input m_axi_arid, input [31:0] m_axi_araddr, input [7:0] m_axi_arlen, input [2:0] m_axi_arsize,
  input [1:0] m_axi_arburst, input m_axi_arvalid, input m_axi_arready,
  input m_axi_rid, input [31:0] m_axi_rdata, input [1:0] m_axi_rresp, input m_axi_rlast, input m_axi_rvalid,
  input m_axi_rready,
  input m_axi_awid, input [31:0] m_axi_awaddr, input [7:0] m_axi_awlen, input [2:0] m_axi_awsize,
  input [1:0] m_axi_awburst, input m_axi_awvalid, input m_axi_awready,
  input [31:0] m_axi_wdata, input [3:0] m_axi_wstrb, input m_axi_wlast, input m_axi_wvalid, input m_axi_wready,
  input m_axi_bid, input [1:0] m_axi_bresp, input m_axi_bvalid, input m_axi_bready
);
endmodule
