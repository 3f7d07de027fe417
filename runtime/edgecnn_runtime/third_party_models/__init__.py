"""Third-party models: what their files leave open comes from the caller, or is assumed and reported.

opening         how a model file is opened
given           what the caller says about it
first_run       a first run in a subprocess
adapter         decides how it is used
image_layout    the axes of its input
pixel_encoding  from pixels to its input
pixel_ranges    the usual ranges of pixels, to choose from where the file does not say
output_form     from its output to probabilities
no_classifier   what a model is that classifies no images
"""
