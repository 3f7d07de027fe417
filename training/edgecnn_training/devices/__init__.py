"""Where a run is computed: CPU, GPUs, precision, several machines."""
