"""The measured processes: a worker for model files, one for Keras, and what they cost."""
