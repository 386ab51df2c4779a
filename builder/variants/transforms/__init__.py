"""What a variant does to the text of a rationale."""
