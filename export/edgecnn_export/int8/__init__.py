"""What both formats need to become int8: calibration, corrected biases, and the accuracy search."""
