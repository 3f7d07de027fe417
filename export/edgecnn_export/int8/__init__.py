"""What every container needs to become int8.

calibration             the images from which ranges are measured
quantizable             a float32 graph, the statistics of its activations, and a container's way to quantize it
activation_statistics   what its activations are on these images
bias_correction         biases that make up for rounded weights
converted_file          what comes of it: the content, and how it was quantized
accuracy_search         the cheapest candidate that keeps the accuracy
"""
