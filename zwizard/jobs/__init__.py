"""Long work as a job: what builds and boot tests share."""
