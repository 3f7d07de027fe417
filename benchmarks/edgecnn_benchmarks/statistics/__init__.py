"""Intervals, differences, and quantities with their units."""
