"""Variants: training rows derived from rationales.

Pure but for `derive`, which reads and writes a build.
"""
