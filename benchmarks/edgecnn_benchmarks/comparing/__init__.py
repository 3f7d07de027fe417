"""Two benchmarks side by side: changes, notes, a table, limits for continuous integration."""
