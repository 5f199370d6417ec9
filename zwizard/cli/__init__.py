"""The commands, by subject; thin: each calls the work below and prints the result."""
