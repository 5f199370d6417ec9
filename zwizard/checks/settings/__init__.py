"""Settings in an image, read as the program that uses them reads them."""
