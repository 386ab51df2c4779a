"""The table of jobs, and the processes that run them."""
