"""Causes: what the last lines of a failed step most probably mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from zwizard.engine.failure_causes import StepFailureCause, likely_cause, tail
from zwizard.wizard.questions import all_questions

KNOWN = {
    """\
/given/x.tar.gz cannot be used: ../../etc/passwd leads out of the archive
""": "The archive contains a path outside its root (../../etc/passwd leads out of the"
    " archive): it is damaged or malicious. Use another archive.",
    """\
no root file system could be read: no root file system was found in the disk image: partition 2 is\
 xfs, which cannot be read here; partition 1 is of a kind that cannot be read here
""": "The root file system is xfs; only ext4 can be read. Use an image with ext4, or unpack"
    " this one and import the directory (rootfs).",
    """\
level=fatal msg="writing blob: Digest did not match, expected sha256:9c5c, got sha256:ec13"
""": "The container image is damaged: a layer does not match its digest. Save it again.",
    """\
/given/x.tar.gz cannot be used: x/out is below a link, /x
""": "The archive contains a path outside its root (x/out is below a link, /x): it is damaged"
    " or malicious. Use another archive.",
    """\
/given/x.tar.gz cannot be used: it unpacks to more than 3.0 GiB, which is all that is free here
""": "The archive unpacks to more than the free space: make room in the cache (zwizard clean,"
    " XDG_CACHE_HOME), or is it the wrong file?",
    """\
its os-release says ID=ubuntu, which is not debian: write distro = "ubuntu" under [source]
""": "The image is of another distribution; set the distribution to ubuntu.",
    """\
there is no /sbin/init in it, and no supported package manager to install one: a VM needs one
""": "The image has no init system, and none can be installed: make a container of it, or use"
    " an image with an init system.",
    """\
https://x.example/disk.img: the server answers 404: there is no such file
""": "There is no https://x.example/disk.img: correct the URL.",
    """\
https://x.example/disk.img: it leads to another scheme, which is not followed (Protocol "ftp")
""": "https://x.example/disk.img leads to an address of another kind: use the address of the file"
    " itself.",
    """\
https://x.example/disk.img: larger than 4096 bytes, the most that is taken here
""": "https://x.example/disk.img is larger than what may be taken: free some space, or correct the"
    " URL.",
    """\
https://x.example/disk.img: stalled: Operation too slow.
""": "The server of https://x.example/disk.img does not answer in time: resume later.",
    """\
https://x.example/disk.img: the server answers 503
""": "The server of https://x.example/disk.img does not answer in time: resume later.",
    """\
Reading package lists...
Building dependency tree...
E: Unable to locate package htp
""": "Not in this suite: htp. Correct the package names in 'More packages'.",
    """\
E: Unable to locate package vmi
E: Unable to locate package htp
E: Couldn't find any package by glob 'htp'
""": "Not in this suite: vmi, htp. Correct the package names in 'More packages'.",
    """\
error: target not found: vmi
error: target not found: htpo
error: target not found: gti
""": "Not in this suite: vmi, htpo, gti. Correct the package names in 'More packages'.",
    """\
E: Couldn't find these debs: vmi htp
""": "Not in this suite: vmi, htp. Correct the package names in 'More packages'.",
    """\
E: Package 'exim' has no installation candidate
E: Package 'mysql-server' has no installation candidate
""": "No installable version in this suite: exim, mysql-server. Remove it from the packages.",
    """\
E: Version '9' for 'vim' was not found
E: Version '8' for 'htop' was not found
""": "This version is not available: vim, htop. Leave the version out.",
    """\
Package linux-modules-extra is not available, but is referred to by another package.
E: Package 'linux-modules-extra' has no installation candidate
""": "No installable version in this suite: linux-modules-extra. Remove it from the packages.",
    """\
Err:1 http://deb.exmaple/debian bookworm InRelease
  Temporary failure resolving 'deb.exmaple'
E: Failed to fetch http://deb.exmaple/dists  Temporary failure resolving 'deb.exmaple'
E: Some index files failed to download. They have been ignored, or old ones used instead.
E: apt-get update failed
""": "The mirror's name deb.exmaple does not resolve: check the mirror and this machine's DNS.",
    """\
I: starting apt...
E: Could not connect to 192.0.2.7:80 (192.0.2.7), connection timed out
""": "The mirror 192.0.2.7:80 does not answer: check the mirror and the network, then resume.",
    """\
E: Failed to fetch http://m.example/pool/vim_9_amd64.deb  404  Not Found [IP: 192.0.2.1 80]
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
""": "The mirror has no http://m.example/pool/vim_9_amd64.deb: check the mirror and the suite.",
    """\
Err:2 http://m.example/debian trixy Release
E: The repository 'http://m.example/debian trixy Release' does not have a Release file.
""": "The mirror does not have this suite: check both.",
    """\
W: GPG error: http://m.example/debian bookworm InRelease: The following signatures couldn't be
 verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9
E: The repository 'http://m.example/debian bookworm InRelease' is not signed.
""": "The mirror's signature cannot be verified: the suite's key is missing or has expired on"
    " this host (package debian-archive-keyring).",
    """\
dpkg: error processing archive /var/cache/apt/archives/linux-image.deb (--unpack):
 cannot copy extracted data to '/boot/vmlinuz.dpkg-new': failed to write (No space left on device)
E: Sub-process /usr/bin/dpkg returned an error code (1)
""": "The disk is full: free some space (zwizard clean), or move the cache with XDG_CACHE_HOME.",
    """\
Failed to enable unit: Unit file ngnix.service does not exist.
""": "The image has no service ngnix.service: correct 'Services to enable', or install its"
    " package.",
    """\
there is no time zone Europe/Pris in this suite
""": "There is no time zone Europe/Pris in this suite: correct it on the page System.",
    """\
modprobe: FATAL: Module virtio_sf not found in directory /lib/modules/6.1.0-25-amd64
""": "The kernel has no module virtio_sf: correct 'Modules in the initramfs'.",
    """\
Err:1 http://m.example/debian bookworm InRelease
  407  Proxy Authentication Required
""": "The proxy requires a name and a password: check http_proxy and https_proxy in your"
    " environment, then resume.",
    """\
curl: (5) Could not resolve proxy: proxy.example
""": "The proxy proxy.example cannot be used: check http_proxy and https_proxy in your"
    " environment, then resume.",
    """\
E: Release file for http://m.example/debian/dists/bookworm/InRelease is not valid yet (invalid for
 another 3h 2min 4s). Updates for this repository will not be applied.
""": "This host's clock is behind: the mirror's signatures are dated in the future. Set the"
    " clock, then resume.",
    """\
E: Release file for http://m.example/dists/trixie/InRelease is expired (invalid since 9d).
""": "The mirror's index http://m.example/dists/trixie/InRelease has expired: this host's"
    " clock is ahead, or the mirror is no longer updated.",
    """\
E: Failed to fetch http://m.example/x  Clearsigned file isn't valid, got 'NOSPLIT' (does the
 network require authentication?)
""": "The network answers in place of the mirror: a login page, or a proxy. Open a web page"
    " to see it, then resume.",
    """\
Err:1 https://m.example/debian bookworm InRelease
  Certificate verification failed: The certificate is NOT trusted.
""": "The mirror's certificate cannot be verified: ca-certificates is missing, the clock is"
    " wrong, or a proxy intercepts the connection.",
    """\
E: Failed to fetch http://m.example/p/Packages.xz  Hash Sum mismatch
""": "The mirror is being updated, or a proxy has old files: resume in some minutes, or use"
    " another mirror.",
    """\
E: Failed to fetch file:/srv/mirror/x  File not found - /srv/mirror/dists/bookworm/Release (2: No)
""": "The mirror has no /srv/mirror/dists/bookworm/Release: check the mirror and the suite.",
    """\
E: No such script: /usr/share/debootstrap/scripts/trixie
""": "debootstrap on this host does not know the suite trixie: use mmdebstrap, or a newer"
    " debootstrap.",
    """\
The following packages have unmet dependencies:
 nginx-extras : Depends: nginx (= 1.22.1-9) but it is not going to be installed
E: Unable to correct problems, you have held broken packages.
""": "Package nginx-extras conflicts with the others: remove it, or use another suite.",
    """\
Job for mysql.service failed.
dpkg: error processing package mysql-server (--configure):
 installed mysql-server package post-installation script subprocess returned error exit status 1
Errors were encountered while processing:
 mysql-server
""": "Package mysql-server could not be set up: its own script failed; the reason is just"
    " above that line in the log.",
    """\
fork: Cannot allocate memory
""": "This host ran out of memory: end other programs or add swap, then resume.",
    """\
error: target not found: htpo
""": "Not in this suite: htpo. Correct the package names in 'More packages'.",
    """\
the mirror's keyring has none of the known master keys: 0123ABCD
""": "This mirror's packages are not signed by a known key: use another mirror, or set the"
    " fingerprints of its own keys (source.keys in the recipe).",
    """\
error: base: signature from "Somebody <some@body.example>" is unknown trust
:: File /x/base-3-2-any.pkg.tar.zst is corrupted (invalid or corrupted package (PGP signature)).
""": "The package base is not signed by a trusted key, or its download is damaged: resume, or"
    " use another mirror.",
    """\
==> Creating install root at /x/root
mount: /x/root/sys: permission denied.
==> ERROR: failed to setup chroot /x/root
""": "pacstrap works only as root: use pacman, which does the same.",
    """\
==> ERROR: module not found: 'virtio_sf'
""": "The kernel has no module virtio_sf: correct 'Modules in the initramfs'.",
    """\
sh: 1: pyhton3: not found
""": "The image has no command pyhton3: install its package, or correct your commands.",
    "bwrap: execvp pacman-key: No such file or directory\n": (
        "The image has no command pacman-key: install its package, or correct your commands."
    ),
}
KEYS = {
    "E: Unable to locate package htp\n": "source.packages",
    "E: Failed to fetch http://m.example/x  Could not resolve 'm.example'\n": "source.mirror",
    "GPG error: NO_PUBKEY 0E98404D386FA1D9\n": "source.mirror",
    "No space left on device\n": "",
    "Killed\n": "",
    "there is no time zone Europe/Pris in this suite\n": "system.timezone",
    "there is no locale de_DE in this suite\n": "system.locale",
    "sh: 1: pyhton3: not found\n": "system.run",
    "modprobe: FATAL: Module virtio_sf not found\n": "kernel.modules",
    "Unit file ngnix.service does not exist.\n": "system.services",
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "02-packages.log"


@pytest.mark.parametrize(("text", "sentence"), KNOWN.items(), ids=KNOWN.values())
def test_a_known_failure_has_a_cause(text: str, sentence: str, log: Path) -> None:
    log.write_text(f"+ in_tree something\n{text}")
    assert likely_cause(log).message == sentence


@pytest.mark.parametrize(("text", "key"), KEYS.items(), ids=KEYS.values())
def test_a_known_failure_leads_to_the_answer_that_mends_it(text: str, key: str, log: Path) -> None:
    log.write_text(text)
    assert likely_cause(log).message
    assert likely_cause(log).key == key
    assert not key or key in {question.key for question in all_questions()}


def test_the_cause_names_the_key_that_decides_the_step(log: Path) -> None:
    log.write_text("E: Unable to locate package linux-image-cluod-amd64\n")
    assert likely_cause(log, ("kernel.package",)).key == "kernel.package"
    assert likely_cause(log, ("source.packages",)).key == "source.packages"
    assert likely_cause(log, ("system.run",)).key == "source.packages"


def test_what_is_not_known_is_not_guessed(log: Path) -> None:
    log.write_text("make: *** [all] Error 2\n")
    assert likely_cause(log) == StepFailureCause()


def test_a_log_that_is_not_there_has_no_cause_and_no_end(log: Path) -> None:
    assert (likely_cause(log), tail(log)) == (StepFailureCause(), "")


def test_the_last_of_several_faults_is_the_cause(log: Path) -> None:
    log.write_text("Could not resolve 'a.example'\nCould not resolve 'b.example'\n")
    assert "b.example" in likely_cause(log).message
    assert "a.example" not in likely_cause(log).message


def test_every_missing_package_is_named(log: Path) -> None:
    log.write_text("E: Unable to locate package vmi\nE: Unable to locate package htp\n")
    assert "vmi, htp" in likely_cause(log).message


def test_only_the_end_of_a_long_log_is_looked_at(log: Path) -> None:
    log.write_text("E: Unable to locate package early\n" + "a line of output\n" * 10_000)
    assert likely_cause(log) == StepFailureCause()


def test_bytes_that_are_no_text_do_not_matter(log: Path) -> None:
    log.write_bytes(b"\xff\xfe\n" * 100 + b"E: Unable to locate package htp\n")
    assert "htp" in likely_cause(log).message


def test_the_tail_is_the_last_lines_whole(log: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert tail(log, 3) == "line 97\nline 98\nline 99"
    assert tail(log, 1000).startswith("line 0\n")
