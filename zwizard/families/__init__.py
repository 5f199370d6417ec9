"""What each package manager does in its own way: one module each, found by its name."""
