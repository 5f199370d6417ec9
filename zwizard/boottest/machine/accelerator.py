"""Whether guests run with KVM or by emulation, tested with a tiny guest; and the firmware."""

import contextlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from zwizard.boottest.machine.qemu import Accelerator, cpu
from zwizard.engine.layers import boot_id
from zwizard.host import tools
from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line

_KVM = Path("/dev/kvm")
_DISTRUSTED = "kvm-fails"
_TIMEOUT = 4.0  # seconds; a guest that runs takes one, where emulation would be slower
_PORT = 0xF4  # the I/O port of QEMU's exit device
_CODE = 0x2A
_EXIT_STATUS = _CODE * 2 + 1  # that QEMU makes of it


@dataclass(frozen=True)
class Acceleration:
    """How guests run, the reason, and the factor for every time limit."""

    by: Accelerator
    why: str
    patience: float


KVM = Acceleration("kvm", "KVM runs guests here", 1.0)


def accelerate(notes: Path) -> Acceleration:
    """KVM if a tiny guest ran with it, else QEMU's emulation.

    The directory ``notes`` keeps the reason that :func:`distrust_kvm` stores.
    """
    problem = _kvm_problem(notes)
    return emulation(problem) if problem else KVM


def emulation(problem: str) -> Acceleration:
    """QEMU's emulation, because of ``problem`` with KVM."""
    return Acceleration("tcg", f"software emulation, about ten times slower: {problem}", 6.0)


def distrust_kvm(notes: Path, why: str) -> None:
    """Use emulation until this host reboots: KVM ran the tiny guest, but not a real one."""
    (notes / _DISTRUSTED).write_text(f"{boot_id()}\n{one_line(why)}\n", "utf-8")


def _kvm_problem(notes: Path) -> str:
    """Why KVM cannot be used, or ""."""
    if not _KVM.exists():
        return "/dev/kvm is missing"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return "you have no access to /dev/kvm (group kvm)"
    with contextlib.suppress(OSError, ValueError):
        boot, why = (notes / _DISTRUSTED).read_text("utf-8", "replace").splitlines()
        if boot == boot_id():
            return why
    return run_tiny_guest("kvm")


def run_tiny_guest(by: Accelerator) -> str:
    """Run a guest of one sector that exits with a code; why it did not, or ""."""
    with tempfile.TemporaryDirectory(prefix="zwizard-kvm-") as place:
        disk = Path(place) / "guest.img"
        disk.write_bytes(tiny_guest())
        try:
            done = subprocess.run(
                (
                    tools.find("qemu-system-x86_64") or "",
                    *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
                    *("-machine", f"pc,accel={by}", "-cpu", cpu(by), "-m", "16M"),
                    *("-device", f"isa-debug-exit,iobase={_PORT},iosize=1"),
                    *("-drive", f"if=ide,format=raw,file={disk}"),
                ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "a tiny guest did not finish"
    if done.returncode == _EXIT_STATUS:
        return ""
    errors = done.stderr.strip().splitlines()
    return f"a tiny guest did not run ({errors[0] if errors else 'no error message'})"


def tiny_guest() -> bytes:
    """A disk whose boot sector enters 64-bit mode with paging, as a kernel does, and exits.

    Some hosts run a BIOS with KVM, but fail when a kernel starts.
    """
    code = bytes.fromhex(
        "fa 31c0 8ed8 8ec0 8ed0"  # cli; ax, ds, es, ss = 0
        "bf0010 b90018 f3ab"  # clear the page tables, 0x1000 to 0x4000
        "c70600100320 c70600200330 c70600308300"  # they map the first 2 MiB onto themselves
        "660f0116787c"  # lgdt [0x7c78]
        "66b820000000 0f22e0"  # cr4 = PAE
        "66b800100000 0f22d8"  # cr3 = 0x1000
        "66b9800000c0 0f32 660d00010000 0f30"  # EFER |= LME
        "0f20c0 660d01000080 0f22c0"  # cr0 |= PG | PE
        "ea5c7c0800"  # jmp 0x08:0x7c5c, which is 64-bit code from here
        f"b0{_CODE:02x} e6{_PORT:02x}"  # mov al, CODE; out PORT, al
        "f4 ebfd"  # hlt, for ever
    )
    table = bytes.fromhex("0000000000000000 00000000009a2000")
    pointer = (len(table) - 1).to_bytes(2, "little") + (0x7C68).to_bytes(4, "little")
    sector = code.ljust(0x68, b"\0") + table + pointer
    return (sector.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0")


def is_rust_virtiofsd(program: str) -> bool:
    """Whether this virtiofsd is the newer one in Rust, which has other options."""
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    return "--shared-dir" in done.stdout + done.stderr


def firmware() -> tuple[Path, Path]:
    """The paths of OVMF's code and its empty variables; raises ZwizardError without them."""
    code = tools.find("OVMF")
    if code:
        for old, new in (("_CODE", "_VARS"), ("code", "vars")):
            state = Path(code).with_name(Path(code).name.replace(old, new))
            if state != Path(code) and state.is_file():
                return Path(code), state
    raise ZwizardError(
        "OVMF, the UEFI firmware for QEMU, is not installed", tools.install_command({"OVMF"})
    )
