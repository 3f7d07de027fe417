"""ONNX: convert, edit the graph, quantize, embed the manifest.

container               what export and inspection use of this folder
convert, channels_first, names   Keras -> float32, float16
graph                   the float32 model as operators and constants
scaling                 the scaling of the pixels, folded into the first weights
quantize                the float32 graph -> int8
unused                  leave out what no operator uses
manifest                labels and manifest into the file
read_graph              any file -> operators and tensors
"""
