"""What a model file holds, read without its engine; it may come from anywhere, so every number is checked.

whole           the manifest in a file, and its checksum
signature       the signature at the end of a file, and keys
appended_files  the zip at the end of a TFLite file
tflite_file     manifest and appended files of a TFLite file      onnx_file   manifest and weight files of an ONNX file
tflite_graph    how its graph begins and ends                     onnx_graph  how its graph begins and ends
graph_facts     what is found out about a graph
flatbuffer, protobuf    the encodings that both formats are written in
"""
