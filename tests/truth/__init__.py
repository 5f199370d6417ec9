"""The table of truth: inputs, what really becomes of each, and how that was measured.

Every row is judged by the checklist's own readers, and, where the real thing is on this machine
(the kernel's execve in a chroot, glibc's and musl's loaders, busybox), measured again.
"""
