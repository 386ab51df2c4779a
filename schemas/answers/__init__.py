"""Read an answer out of a text, and grade it."""
