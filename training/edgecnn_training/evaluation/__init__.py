"""A model evaluated on labelled images: `opened_model`, `labelled_images`, `scores`, and all in `model_evaluation`."""
