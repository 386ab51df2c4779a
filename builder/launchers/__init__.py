"""Start workers: as processes, by Ray, Slurm or Kubernetes."""
