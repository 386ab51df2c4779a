"""The folder of a build: open it, check it, read it."""
