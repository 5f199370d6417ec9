"""Line-by-line output that the command line and the plain wizard share."""
