"""Models that others made: what their files leave open comes from the caller, or is assumed and reported."""
