"""The recipe: what a build is made from."""
