"""What each package manager does in its own way."""
