"""`edgecnn train` without a recipe: look at the images, plan what may be trained on them, and keep the best of it."""
