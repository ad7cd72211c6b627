"""Parts of the composition root: they build and connect, and do nothing else."""
