"""What is in a model file, and where it runs: `edgecnn inspect MODEL`, for files of ours or of anybody else.

graph               operators and tensors, the same for every container
tflite, onnx        one container a file: read it into a graph
memory              the peak of live activations, from the graph's lifetimes
about, tflite_metadata   what the file says about itself: our manifest, or the official TFLite Metadata
model               all of that for one file
targets/            one kind of device a file: does it run there, what is in the way, what would remove it
"""
