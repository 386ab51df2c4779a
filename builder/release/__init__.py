"""Releases: a build published as a dataset repo, brought back, and checked from the
outside.
"""
