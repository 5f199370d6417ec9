"""zwizard: build, check and boot Zero-OS Zmachine images, from one terminal wizard."""

__version__ = "0.1.0"
