"""The boot test against the same machine started by hand, in one run: by hand, as root.

``python tests/bench/boot.py ARCHIVE``: the archive of a VM. Each takes minutes without KVM.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from zwizard.boottest.machine import accelerator as probe
from zwizard.boottest.machine.qemu import SEED, Direct, Machine, virtiofsd
from zwizard.boottest.machine.seed import Seed, make_disk
from zwizard.boottest.watch.ssh import make_key
from zwizard.host import tools

ZWIZARD = Path(sys.executable).with_name("zwizard")
BAR = 1.15
PORT = "2222"

# What somebody does who knows how: unpack, serve, start, wait for cloud-init's last line on the
# console, look around by SSH, try a password, power off.
BY_HAND = r"""
set -euo pipefail
cd "$1"
tar -xpzf "$2" --numeric-owner -C root
ulimit -n "$(ulimit -Hn)"
$VIRTIOFSD >virtiofsd.log 2>&1 &
until [ -S root.sock ]; do sleep 0.1; done
kernel=root/boot/$(readlink root/boot/vmlinuz)
initrd=root/boot/$(readlink root/boot/initrd.img)
eval "set -- $QEMU"
for word; do
	case $word in KERNEL) word=$kernel ;; INITRD) word=$initrd ;; esac
	set -- "$@" "$word"
	shift
done
"$@" >qemu.log 2>&1 &
guest="ssh -F none -p $PORT -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
until grep -q 'Cloud-init v. .* finished' console.log 2>/dev/null; do sleep 0.5; done
$guest -i key -o BatchMode=yes root@127.0.0.1 \
	'hostname; ip address; ip route; cat /run/cloud-init/result.json; sshd -T'
! $guest -o BatchMode=yes -o PubkeyAuthentication=no root@127.0.0.1 true
$guest -i key -o BatchMode=yes root@127.0.0.1 poweroff || true
wait
"""


def by_hand(archive: Path, place: Path) -> float:
    """Seconds that it takes by hand."""
    (place / "root").mkdir()
    accelerator = probe.accelerate(place).by
    make_disk(Seed("by-hand", "byhand", make_key(place)), place / SEED)
    machine = Machine(accelerator, Direct("KERNEL", "INITRD"))
    command = machine.qemu(tools.find("qemu-system-x86_64") or "")
    quoted = " ".join(f"'{word}'" for word in command).replace(
        "127.0.0.1:0-", f"127.0.0.1:{PORT}-"
    )
    program = tools.find("virtiofsd") or ""
    rust = probe.is_rust_virtiofsd(program)
    serve = virtiofsd(program, str(place / "root"), rust=rust)
    variables = {"QEMU": quoted, "VIRTIOFSD": " ".join(serve), "PORT": PORT, "PATH": tools.PATH}
    sandbox = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    return timed(*sandbox, "bash", "-c", BY_HAND, "-", str(place), str(archive), **variables)


def to_the_verdict(archive: Path, **variables: str) -> float:
    """Seconds until `zwizard boot` says that the boot test passed."""
    since = time.monotonic()
    command = [str(ZWIZARD), "boot", str(archive)]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith("✓ boot test passed"):
                return time.monotonic() - since
    sys.exit(f"zwizard boot: {program.returncode}, and no boot test passed")


def timed(*argv: str, **variables: str) -> float:
    """Seconds that a command takes; its output is shown only if it fails."""
    since = time.monotonic()
    done = subprocess.run(
        argv, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{argv[0]}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return time.monotonic() - since


def main() -> None:
    """Measure both, in a directory that is removed again."""
    archive = Path(sys.argv[1]).resolve()
    place = Path(tempfile.mkdtemp(prefix="zwizard-bench-", dir="/var/tmp"))
    try:
        hand = by_hand(archive, place)
        print(f"  by hand: {hand:.1f} s", flush=True)
        homes = {f"XDG_{kind}_HOME": str(place / kind) for kind in ("STATE", "CACHE")}
        ours = to_the_verdict(archive, PATH=tools.PATH, **homes)
        print(f"  zwizard boot: {ours:.1f} s", flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    good = ours <= BAR * hand
    print(f"{'✓' if good else '✗'} boot test against by hand: {ours / hand:.2f} (≤ {BAR})")
    sys.exit(not good)


if __name__ == "__main__":
    main()
