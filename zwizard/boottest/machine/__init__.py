"""The virtual machine of a boot test."""
