"""Models that somebody else made: what their files leave open is taken from the caller, or assumed and said."""
