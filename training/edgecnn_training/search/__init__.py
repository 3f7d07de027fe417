"""`edgecnn search`: the networks that may fit a device, the trainings that tell them apart, and the choice."""
