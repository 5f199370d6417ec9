"""Prints SYSCALLS for sandbox.sh: ``python sandbox_syscalls.py``, with pyseccomp and libseccomp.

The program refuses what needs no capability and reaches beyond a sandbox, and what only
capabilities that nothing in a sandbox has would allow.
"""

from __future__ import annotations

import base64
import errno
import socket
import sys
import tempfile

import pyseccomp as seccomp

NEW_NAMESPACES = (
    0x80,
    0x20000,
    0x2000000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of linux/sched.h."""

TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into the terminal of the user

REFUSED = (
    # the user's keys, which no namespace separates
    *("add_key", "keyctl", "request_key"),
    # programs in the kernel, its tracing, and what has often been a way into it
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter"),
    *("io_uring_register", "modify_ldt", "kcmp", "lookup_dcookie", "vmsplice"),
    # mounts and namespaces
    *("mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "mount_setattr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "setns", "open_by_handle_at"),
    # the machine
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot"),
    *("swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "settimeofday", "clock_settime"),
    *("stime", "iopl", "ioperm", "syslog", "vhangup", "fanotify_init", "nfsservctl", "uselib"),
)


def program() -> bytes:
    """The filter as the kernel takes it: BPF instructions of 8 bytes, for x86-64, x32 and i386."""
    refuse = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    rules.add_arch(seccomp.Arch.X86)
    rules.add_arch(seccomp.Arch.X32)
    for name in REFUSED:
        rules.add_rule(refuse, name)
    for flag in NEW_NAMESPACES:
        masked = seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag)
        rules.add_rule(refuse, "unshare", masked)
        if flag > 0xFF:  # clone has the signal there
            rules.add_rule(refuse, "clone", masked)
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags are in memory: use clone
    for request in TERMINAL_INPUT:
        low = seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request)  # the kernel ignores the rest
        rules.add_rule(refuse, "ioctl", low)
    rules.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.EQ, socket.AF_VSOCK))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


if __name__ == "__main__":
    sys.stdout.write(base64.encodebytes(program()).decode())
