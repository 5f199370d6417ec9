"""What every long-running job shares: supervisor and journal."""
