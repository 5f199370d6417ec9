"""Turn a recipe into a plan. Pure: runs nothing and reads nothing from the host."""
