"""What lets a run go on after a stop: what it was started with, its checkpoints, where it goes on."""
