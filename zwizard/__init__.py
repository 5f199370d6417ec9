"""zwizard: build and check Zero-OS Zmachine images, from one terminal wizard."""

__version__ = "0.1.0"
