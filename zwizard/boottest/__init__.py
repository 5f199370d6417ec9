"""Boot tests: start an image as a Zero-OS node would, and report the result."""
