"""From a trained Keras model to the files a device runs: convert, calibrate, embed the manifest, check parity.

deployment_graph   the trained network with a static graph
calibration        the images from which int8 ranges are measured
tflite, onnx       one file a container, one function a file
manifest_tflite, manifest_onnx   labels, manifest and golden check go inside the file
parity             the finished file, run by the runtime, against Keras
export_run         all of it, for one run folder
c_source           the integer network for firmware, with what bare_network, micro_operators and micro_arena tell
adopted/           models that somebody else trained, made into run folders first
"""
