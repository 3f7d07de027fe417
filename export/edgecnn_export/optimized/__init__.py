"""Fewer, fewer distinct, or int8-proof weights: pruning, clustering and quantization-aware training.

The work is done by tensorflow-model-optimization, which knows only tf_keras; so it happens in a subprocess, on a
tf_keras model like the trained network, and the weights come back.

plan             what is to be done and how long, and what it cost
flat_network     the trained network as a plain list of layers and weights: what goes over, and what comes back
trainable        rewrites of a flat network that make it fit for the steps, and their way back
optimize         flatten the network, start the subprocess, follow it, take the weights back
tf_keras_process     the subprocess
stored_weights   zeros and distinct values, counted in a finished file
"""
