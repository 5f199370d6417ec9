"""Where the root file system of an image comes from, one file for each kind."""
