"""What the figures mean: a verdict, a recommendation, known pitfalls, pairs that stay undecided."""
