"""A model that was trained elsewhere becomes a run folder: pixels 0…255 in, probabilities out.

Nothing in a model file is trusted and nothing in it is executed: Keras configurations are looked through before Keras
reads them, and a SavedModel is read as data and rebuilt from layers that Keras ships.

untrusted_config   what a Keras configuration may not hold: code, files, packages
model_file         .keras, .h5, .hdf5 or a SavedModel folder -> a Keras model
saved_model        a SavedModel -> its graph, as plain nodes with their constants
graph              these nodes, from whichever reader
graph_constants    what it computes from constants and shapes alone
graph_operations   what is an operation of Keras
graph_values       what is neither array nor tensor yet
graph_layers       such a graph -> a Keras model
pixel_scaling      how the network wants its pixels -> layers in front of it
answers            logits or probabilities -> layers behind it
application        the networks of keras.applications, with the labels of ImageNet
original_model     with what its file does not say: labels, input, scaling
import_model       all of it, into a run folder
"""
