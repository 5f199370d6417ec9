"""What differs between distributions, one file each."""
