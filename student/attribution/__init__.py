"""Attribute a student's label to the tokens of its rationale."""
