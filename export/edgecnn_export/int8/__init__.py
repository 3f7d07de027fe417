"""What every container needs to become int8.

calibration             the images from which ranges are measured
quantizable, activation_statistics   a float32 graph, and what its activations are on these images
bias_correction         biases that make up for rounded weights
quantizer               a container's way of making an integer file
accuracy_search         the cheapest candidate that keeps the accuracy
"""
