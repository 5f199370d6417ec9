"""What this machine has: programs and privileges."""
