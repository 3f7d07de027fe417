"""From a trained Keras model to the files a device runs: convert, calibrate, embed the manifest, check parity.

export_run         all of it, for one run folder
source             what every file of one export starts from: model, images, reference
imported/          models that were trained elsewhere, made into run folders first
optimized/         fewer, fewer distinct, or int8-proof weights, trained before the conversion
deployment_graph   the trained network with a static graph
formats            what can be exported: a container and a scheme each
containers         what export needs of a container, and the containers that there are
tflite/, onnx/     one container per folder; its container.py is all that the rest knows of it
int8/              calibration, corrected biases and the accuracy search, the same for each container
proof/             the file, run by the runtime, against Keras
finished_file      measured, its manifest embedded, verified, and only then named
export_index       export.json
micro/             the integer network as C++ source for firmware
inspection/        what is in a model file, and where it runs
"""
