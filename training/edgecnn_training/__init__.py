"""Training: recipes, batches, fit, evaluation and figures, written against Keras 3's own API."""

import os

# TensorFlow prints a screenful about its build before the first line of ours. It reads this when it is imported,
# so it must be set before any module of this package imports Keras.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
