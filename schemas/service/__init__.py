"""What the service and its clients exchange: jobs, problems, files, plans."""
