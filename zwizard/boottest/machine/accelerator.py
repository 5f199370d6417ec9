"""How guests run here: by KVM, but only if one really does; and which firmware there is."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from zwizard.boottest.machine.qemu import Accelerator, cpu
from zwizard.host import tools
from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line

_KVM = Path("/dev/kvm")
_DISTRUSTED = "kvm-fails"
_PATIENCE = 10.0  # seconds; a guest that runs is over in one
_PORT = 0xF4  # where QEMU listens for the tiny guest's word
_WORD = 0x2A
_SAID = _WORD * 2 + 1  # the exit status that QEMU makes of it


@dataclass(frozen=True)
class Acceleration:
    """How guests run, why so, and how many times as long they may take."""

    by: Accelerator
    why: str
    patience: float


KVM = Acceleration("kvm", "KVM runs guests here", 1.0)


def accelerate(notes: Path) -> Acceleration:
    """KVM if a tiny guest ran by it, else QEMU's own emulation.

    The directory ``notes`` keeps what :func:`distrust_kvm` was told.
    """
    problem = kvm_problem(notes)
    return emulation(problem) if problem else KVM


def emulation(problem: str) -> Acceleration:
    """QEMU's own, because of ``problem`` with KVM."""
    return Acceleration("tcg", f"software emulation, some ten times slower: {problem}", 6.0)


def distrust_kvm(notes: Path, why: str) -> None:
    """Do without KVM until this machine is started again: it ran tiny guests, and no real one."""
    (notes / _DISTRUSTED).write_text(f"{_this_start()}\n{one_line(why)}\n", "utf-8")


def kvm_problem(notes: Path) -> str:
    """Why KVM does not serve, or ""."""
    if not _KVM.exists():
        return "there is no /dev/kvm"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return "/dev/kvm may not be used by you (group kvm)"
    return _distrusted(notes) or run_tiny_guest("kvm")


def _distrusted(notes: Path) -> str:
    try:
        start, why = (notes / _DISTRUSTED).read_text("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        return ""
    return why if start == _this_start() else ""


def _this_start() -> str:
    """What tells one start of this machine from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def run_tiny_guest(by: Accelerator) -> str:
    """Start a guest of one sector that says one word; why it did not say it, or ""."""
    with tempfile.TemporaryDirectory(prefix="zwizard-kvm-") as place:
        disk = Path(place) / "guest.img"
        disk.write_bytes(tiny_guest())
        try:
            done = subprocess.run(
                _tiny_machine(tools.find("qemu-system-x86_64") or "", by, disk),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "a tiny guest did not come to its end"
    if done.returncode == _SAID:
        return ""
    said = done.stderr.strip().splitlines()
    return f"a tiny guest did not run ({said[0] if said else 'without a word'})"


def _tiny_machine(program: str, by: Accelerator, disk: Path) -> list[str]:
    """QEMU's command line for the tiny guest."""
    devices = ("-device", f"isa-debug-exit,iobase={_PORT},iosize=1")
    quiet = ("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none")
    machine = ("-machine", f"pc,accel={by}", "-cpu", cpu(by), "-m", "16M")
    return [program, *quiet, *machine, *devices, "-drive", f"if=ide,format=raw,file={disk}"]


def tiny_guest() -> bytes:
    """A disk whose boot sector goes to 64-bit code with paging, as a kernel does, and says a word.

    Some machines run a BIOS by KVM, and fail where a kernel begins.
    """
    code = bytes.fromhex(
        "fa 31c0 8ed8 8ec0 8ed0"  # cli; ax, ds, es, ss = 0
        "bf0010 b90018 f3ab"  # clear what becomes the page tables, 0x1000 to 0x4000
        "c70600100320 c70600200330 c70600308300"  # they map the first 2 MiB onto themselves
        "660f0116787c"  # lgdt [0x7c78]
        "66b820000000 0f22e0"  # cr4 = PAE
        "66b800100000 0f22d8"  # cr3 = 0x1000
        "66b9800000c0 0f32 660d00010000 0f30"  # EFER |= LME
        "0f20c0 660d01000080 0f22c0"  # cr0 |= PG | PE
        "ea5c7c0800"  # jmp 0x08:0x7c5c, which is 64-bit code from here
        f"b0{_WORD:02x} e6{_PORT:02x}"  # mov al, WORD; out PORT, al
        "f4 ebfd"  # hlt, for ever
    )
    table = bytes.fromhex("0000000000000000 00000000009a2000")
    pointer = (len(table) - 1).to_bytes(2, "little") + (0x7C68).to_bytes(4, "little")
    sector = code.ljust(0x68, b"\0") + table + pointer
    return (sector.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0")


def is_rust_virtiofsd(program: str) -> bool:
    """Whether this virtiofsd is the newer one, which has other options."""
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    return "--shared-dir" in done.stdout + done.stderr


def firmware() -> tuple[Path, Path]:
    """OVMF's code and its empty state; ZwizardError if it is not installed as is known here."""
    code = tools.find("OVMF")
    if code:
        for old, new in (("_CODE", "_VARS"), ("code", "vars")):
            state = Path(code).with_name(Path(code).name.replace(old, new))
            if state != Path(code) and state.is_file():
                return Path(code), state
    raise ZwizardError(
        "OVMF, the UEFI firmware for QEMU, is not installed", tools.install_command({"OVMF"})
    )
