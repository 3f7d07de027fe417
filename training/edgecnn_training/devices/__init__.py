"""Where a run is computed: `devices` (CPU or GPUs) at a `precision`, or `many_workers` of a `cluster`."""
