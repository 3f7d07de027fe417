"""The process `python -m edgecnn_export.optimized.tf_keras_process`: prunes, clusters, trains quantization-aware.

Nothing else imports these modules: tensorflow-model-optimization turns TensorFlow's Keras into tf_keras for the whole
process.

__main__      step by step
tf_keras_model   flat network -> tf_keras model
fine_tuning   epochs on the training images, best by the validation images
pruning, clustering, quantization   one step per file
"""
