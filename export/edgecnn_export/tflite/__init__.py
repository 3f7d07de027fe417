"""TFLite: convert, edit the graph, quantize, embed the manifest.

container           what export and inspection use of this folder
convert             Keras -> float32, float16, dynamic range
graph, flatbuffer   the float32 file as operators and constants, and as the objects of the schema
quantize, integer_operators   the float32 graph -> int8 and int16x8
manifest            labels, official metadata and manifest into the file
arena               the RAM that TFLite-Micro needs for a file
read_graph, read_metadata     any file -> operators and tensors, official metadata
"""
