"""A model evaluated on labelled images: opened, scored, with its answers and figures."""
