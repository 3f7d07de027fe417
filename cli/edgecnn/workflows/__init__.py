"""What a command does over several rooms: import a model, judge files for small devices, run a job on Ray."""
