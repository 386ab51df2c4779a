"""The service, `cotbuild serve`: an API, a table of jobs, and their processes."""
