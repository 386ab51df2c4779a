"""Releases: publish a build as a dataset repo, pull it, and verify it from outside."""
