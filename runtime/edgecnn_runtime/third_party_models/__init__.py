"""Third-party models: what their files leave open comes from the caller, or is assumed and reported.

opening         how a model file is opened
given           what the caller says about it
first_run       a first run in a subprocess
adapter         decides how it is used
image_layout    the axes of its input
pixel_encoding  from pixels to its input
output_form     from its output to probabilities
"""
