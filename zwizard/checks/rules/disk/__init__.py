"""Rules about disk images: as a disk, how they start, and GRUB."""
