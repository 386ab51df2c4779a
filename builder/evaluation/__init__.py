"""Evaluate students."""
