"""What lets a run go on after a stop: its `origin`, its `checkpoints`, and where to `resume`."""
