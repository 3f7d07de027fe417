"""What is in a model file, and where it runs: `edgecnn inspect MODEL`, for any file.

model          what the file's container reads from it, and its manifest
memory         the peak of live activations, from the graph's lifetimes
targets/       one kind of device per file: does it run there, what is in the way, what would remove it
verdict        a target's answer
document       all of it as JSON
quantization, quantization_figure   where the int8 file of a run loses accuracy
"""
