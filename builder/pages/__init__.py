"""The pages of `cotbuild view` and `cotbuild serve`, rendered on the server."""
