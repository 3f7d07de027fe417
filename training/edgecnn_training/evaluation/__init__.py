"""A model on labelled images: `opened_model`, `labelled_images`, `scores`, `predictions`, all in `model_evaluation`."""
