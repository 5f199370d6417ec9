"""Recipe to plan: pure data; nothing runs and nothing is read from the host."""
