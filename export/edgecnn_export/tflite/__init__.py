"""TFLite: convert, edit the graph, quantize, embed the manifest."""
