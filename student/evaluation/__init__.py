"""Score a student's options and answers."""
