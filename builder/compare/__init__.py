"""One trained student compared with another, question by question."""
