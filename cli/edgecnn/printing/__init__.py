"""Tables, scores and progress that several commands print."""
