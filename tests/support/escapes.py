"""Ways out of a sandbox, tried from inside: ``python3 escapes.py`` prints those that worked.

``escapes.json`` beside it says what is outside, to be recognised (see ``machine.py``). Only the
standard library is there. Every function tries one way, and raises OSError where it is refused.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pathlib
import select
import socket
import stat
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
FACTS = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())
NEW_USER, NEW_MOUNTS, NEW_CGROUP = 0x10000000, 0x20000, 0x2000000
WAYS: list[Callable[[], object]] = []


def way(function: Callable[[], object]) -> Callable[[], object]:
    """Register a way; it worked if it returns something true."""
    WAYS.append(function)
    return function


def call(number: int, *arguments: object) -> int:
    """A system call of x86-64; OSError if it is refused."""
    result = LIBC.syscall(ctypes.c_long(number), *(c(argument) for argument in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def permits(number: int, *arguments: object) -> bool:
    """Whether a call that cannot succeed, as its arguments are wrong, fails for that reason."""
    try:
        call(number, *arguments)
    except OSError as error:
        return error.errno not in (errno.EPERM, errno.ENOSYS)
    return True


def c(argument: object) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def secret_in(path: str | pathlib.Path) -> bool:
    return FACTS["secret"] in pathlib.Path(path).read_text("latin-1")


def processes() -> list[pathlib.Path]:
    return [path for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()]


def anywhere(of_process: Callable[[pathlib.Path], bool]) -> bool:
    """Whether it holds of any process in /proc."""
    found = False
    for process in processes():
        with contextlib.suppress(OSError):
            found |= of_process(process)
    return found


def written(path: str, text: str) -> bool:
    pathlib.Path(path).write_text(text)
    return True


# --- files ---


@way
def read_a_file_of_the_user() -> object:
    return secret_in(FACTS["file"])


@way
def read_it_through_the_root_of_a_process() -> object:
    return anywhere(lambda process: secret_in(f"{process}/root{FACTS['file']}"))


@way
def read_it_through_the_directory_of_a_process() -> object:
    return anywhere(lambda process: secret_in(f"{process}/cwd/{'../' * 30}{FACTS['file'][1:]}"))


@way
def read_it_above_the_root() -> object:
    return secret_in(f"/{'../' * 30}{FACTS['file'][1:]}")


@way
def read_it_from_an_old_root() -> object:
    places = ("/oldroot", "/old", "/.old", "/mnt", "/newroot/../oldroot")
    return any(pathlib.Path(f"{place}{FACTS['file']}").exists() for place in places)


@way
def leave_by_a_second_chroot() -> object:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.makedirs("/tmp/inner", exist_ok=True)
            above = os.open("/", os.O_RDONLY)
            os.chroot("/tmp/inner")
            os.fchdir(above)
            for _ in range(60):
                os.chdir("..")
            os.chroot(".")
            os._exit(secret_in(FACTS["file"]))
        os._exit(0)
    return os.waitpid(pid, 0)[1]


@way
def use_an_open_descriptor() -> object:
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.stat(f"/proc/self/fd/{name}/{'../' * 30}{FACTS['file'][1:]}")
            return name
    return False


@way
def use_an_open_directory() -> object:
    for name in range(200):
        with contextlib.suppress(OSError):
            os.stat(FACTS["file"][1:], dir_fd=name)
            return name
    return False


@way
def open_by_handle() -> object:
    handle = ctypes.create_string_buffer(b"\x08\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0", 128)
    return call(304, os.open("/", os.O_RDONLY), handle, os.O_RDONLY) >= 0


@way
def change_the_program_that_made_the_sandbox() -> object:
    return anywhere(lambda p: bool(pathlib.Path(f"{p}/exe").open("r+b")) and _foreign(p))


def _foreign(process: pathlib.Path) -> bool:
    return not pathlib.Path(os.readlink(f"{process}/exe")).exists()


@way
def read_the_passwords_of_the_machine() -> object:
    return FACTS["shadow"] in pathlib.Path("/etc/shadow").read_text()


@way
def write_to_the_home() -> object:
    written(f"{os.path.dirname(FACTS['file'])}/written", "")
    return False  # the test looks outside: inside, there may be another directory of that name


@way
def find_a_socket_of_the_machine() -> object:
    client = socket.socket(socket.AF_UNIX)
    client.connect(FACTS["socket"])
    return True


# --- devices ---


@way
def see_a_disk() -> object:
    return [n for n in os.listdir("/dev") if stat.S_ISBLK(os.stat(f"/dev/{n}").st_mode)]


@way
def make_a_disk() -> object:
    os.mknod("/tmp/disk", 0o060600, os.makedev(*FACTS["disk"]))
    return True


@way
def make_the_memory() -> object:
    os.mknod("/tmp/mem", 0o020600, os.makedev(1, 1))
    return True


@way
def open_the_memory() -> object:
    return any(pathlib.Path(f"/dev/{name}").exists() for name in ("mem", "kmem", "port", "kmsg"))


@way
def read_the_kernel_s_memory() -> object:
    return pathlib.Path("/proc/kcore").open("rb").read(16)


@way
def use_the_ports() -> object:
    return permits(172, 99)  # iopl


# --- mounts ---


def mounts(source: str, target: str, kind: str | None, flags: int = 0) -> bool:
    os.makedirs(target, exist_ok=True)
    of = None if kind is None else kind.encode()
    if LIBC.mount(source.encode(), target.encode(), of, ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), "mount")
    return True


@way
def mount_a_file_system() -> object:
    return mounts("tmpfs", "/tmp/mounted", "tmpfs")


@way
def mount_another_proc() -> object:
    return mounts("proc", "/tmp/proc", "proc")


@way
def mount_sysfs() -> object:
    return mounts("sysfs", "/tmp/sys", "sysfs")


@way
def mount_cgroups() -> object:
    return mounts("cgroup2", "/tmp/cgroup", "cgroup2")


@way
def make_the_settings_writable() -> object:
    return mounts("", "/proc/sys", None, 32 | 4096)  # MS_REMOUNT, MS_BIND


@way
def bind_the_root_of_another() -> object:
    return mounts("/proc/1/root", "/tmp/root", None, 4096)


@way
def take_a_mount_away() -> object:
    return LIBC.umount2(b"/proc/sys", 2) == 0


@way
def turn_the_root() -> object:
    return call(155, b".", b".") == 0  # pivot_root


@way
def open_a_file_system() -> object:
    return call(430, b"tmpfs", 0)  # fsopen


@way
def copy_a_mount() -> object:
    return call(428, -100, b"/", 1)  # open_tree


# --- the kernel's settings ---


@way
def set_the_core_pattern() -> object:
    return os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)


@way
def set_modprobe() -> object:
    return os.open("/proc/sys/kernel/hotplug", os.O_WRONLY)


@way
def set_how_processes_share_memory() -> object:
    return os.open("/proc/sys/vm/overcommit_memory", os.O_WRONLY)


@way
def press_sysrq() -> object:
    return os.open("/proc/sysrq-trigger", os.O_WRONLY)


@way
def set_the_uevent_helper() -> object:
    return written("/sys/kernel/uevent_helper", "/tmp/x")


@way
def change_the_sandbox_s_sys() -> object:
    return written("/sys/x", "")


@way
def set_a_release_agent() -> object:
    return written("/sys/fs/cgroup/release_agent", "/tmp/x")


@way
def load_a_module() -> object:
    return permits(313, os.open("/dev/null", os.O_RDONLY), b"", 0)  # finit_module


@way
def remove_a_module() -> object:
    return permits(176, b"zwizard-none", 0)


@way
def load_another_kernel() -> object:
    return permits(246, 0, 99, None, 0)


@way
def restart_the_machine() -> object:
    return permits(169, 0, 0, 0, 0)  # reboot


@way
def set_the_clock() -> object:
    return permits(227, 0, (ctypes.c_long * 2)(1, -1))


@way
def swap() -> object:
    return permits(167, b"/tmp/none", 0)


@way
def write_accounts() -> object:
    return permits(163, b"/tmp/none")


@way
def read_the_kernel_s_log() -> object:
    return call(103, 3, ctypes.create_string_buffer(64), 64) >= 0


@way
def load_a_bpf_program() -> object:
    return permits(321, 999, ctypes.create_string_buffer(128), 128)


@way
def trace_the_kernel() -> object:
    return permits(298, ctypes.create_string_buffer(128), 0, -1, -1, 999)


@way
def open_a_ring() -> object:
    return permits(425, 0, None)


@way
def handle_page_faults() -> object:
    return permits(323, 999)


# --- other processes ---


@way
def see_a_process_of_the_machine() -> object:
    return anywhere(lambda process: FACTS["secret"] in (process / "cmdline").read_text("latin-1"))


@way
def read_its_environment() -> object:
    return anywhere(lambda process: FACTS["secret"] in (process / "environ").read_text("latin-1"))


@way
def find_the_secret_in_the_environment() -> object:
    return FACTS["secret"] in str(os.environ)


@way
def trace_a_process_of_the_machine() -> object:
    return call(101, 0x4206, FACTS["process"], 0, 0) == 0  # PTRACE_SEIZE


@way
def signal_a_process_of_the_machine() -> object:
    os.kill(FACTS["process"], 0)
    return True


@way
def enter_the_namespaces_of_another() -> object:
    for name in ("mnt", "pid", "net", "user", "ipc", "uts", "cgroup"):
        with contextlib.suppress(OSError):
            call(308, os.open("/proc/1/ns/" + name, os.O_RDONLY), 0)
            return name
    return False


@way
def make_a_user_namespace() -> object:
    return call(272, NEW_USER) == 0


@way
def make_a_mount_namespace() -> object:
    return call(272, NEW_MOUNTS) == 0


@way
def make_a_cgroup_namespace() -> object:
    return call(272, NEW_CGROUP) == 0


@way
def clone_into_a_user_namespace() -> object:
    pid = call(56, NEW_USER | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return pid


@way
def clone_by_the_newer_call() -> object:
    arguments = (ctypes.c_uint64 * 11)(NEW_USER, 0, 0, 0, 17)
    pid = call(435, arguments, 88)
    if pid == 0:
        os._exit(0)
    return pid


@way
def share_memory() -> object:
    return call(29, FACTS["memory"], 0, 0o600) >= 0  # shmget of the machine's key


@way
def use_a_semaphore() -> object:
    return call(64, FACTS["memory"], 0, 0o600) >= 0


@way
def see_shared_files() -> object:
    return os.path.exists(f"/dev/shm/{FACTS['secret']}")


# --- the user's keys, and the terminal ---


@way
def read_a_key() -> object:
    return call(250, 10, FACTS["keyring"], b"user", FACTS["secret"].encode(), 0)


@way
def add_a_key() -> object:
    return call(248, b"user", b"zwizard", b"x", 1, -4)


@way
def ask_for_a_key() -> object:
    return call(249, b"user", FACTS["secret"].encode(), None, -4)


@way
def read_the_list_of_keys() -> object:
    return pathlib.Path("/proc/keys").read_bytes()


def types(request: int, data: bytes) -> bool:
    terminal = os.open("/dev/tty", os.O_RDWR)
    fcntl.ioctl(terminal, request, data)
    return True


@way
def type_into_the_terminal() -> object:
    return types(0x5412, b"x")


@way
def type_by_a_selection() -> object:
    return types(0x541C, b"\x03" * 16)


# --- the network ---


def connects(kind: int, address: object, family: int = socket.AF_INET) -> bool:
    client = socket.socket(family, kind)
    client.settimeout(2)
    client.connect(address)  # type: ignore[arg-type]
    client.send(b"x")
    return client.recv(1) != b""


@way
def reach_a_service_on_the_loopback() -> object:
    return connects(socket.SOCK_STREAM, ("127.0.0.1", FACTS["port"]))


@way
def reach_it_over_ipv6() -> object:
    return connects(socket.SOCK_STREAM, ("::1", FACTS["port"]), socket.AF_INET6)


@way
def reach_it_through_the_gateway() -> object:
    return connects(socket.SOCK_STREAM, ("10.0.2.2", FACTS["port"]))


@way
def reach_an_abstract_socket() -> object:
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"\0{FACTS['secret']}")
    return True


@way
def reach_the_hypervisor() -> object:
    return socket.socket(40, socket.SOCK_STREAM)  # AF_VSOCK


@way
def listen_to_packets() -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


@way
def send_raw_packets() -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)


@way
def listen_for_the_machine_s_events() -> object:
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # NETLINK_KOBJECT_UEVENT
    events.bind((0, 1))
    return select.select([events], [], [], 0)[0]


# --- rights ---


def status(key: str) -> str:
    text = pathlib.Path("/proc/self/status").read_text()
    return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{key}:"))


ALLOWED = {0, 1, 3, 4, 5, 6, 7, 18, 31}  # as capability.h numbers them; 18 is CAP_SYS_CHROOT


@way
def have_more_rights_than_meant() -> object:
    mask = int(status("CapEff"), 16)
    return [bit for bit in range(64) if mask >> bit & 1 and bit not in ALLOWED]


@way
def gain_rights_by_a_program() -> object:
    return status("NoNewPrivs") != "1"


@way
def change_the_name_of_the_machine() -> object:
    return LIBC.sethostname(b"changed", 7) == 0


@way
def learn_the_name_of_the_machine() -> object:
    return socket.gethostname() == FACTS["host"] != "localhost"


def main(names: list[str]) -> None:
    """Print, as JSON, how many ways were tried, all or those with ``names``, and which worked."""
    ways = [attempt for attempt in WAYS if not names or attempt.__name__ in names]
    worked = {}
    for attempt in ways:
        with contextlib.suppress(OSError):
            if result := attempt():
                worked[attempt.__name__] = repr(result)
    print(json.dumps({"tried": len(ways), "worked": worked}))


main(sys.argv[1:])
