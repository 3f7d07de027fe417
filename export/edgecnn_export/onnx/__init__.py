"""ONNX: convert, edit the graph, quantize, embed the manifest."""
