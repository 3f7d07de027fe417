"""Prepared image sets: from what the world ships to arrays that everything else reads."""
