"""Causes: what the last lines of a failed step most probably mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from zwizard.engine.causes import likely, tail

KNOWN = {
    """\
Reading package lists...
Building dependency tree...
E: Unable to locate package htp
""": "There is no package htp in this suite: mend its name in 'More packages'.",
    """\
Package linux-modules-extra is not available, but is referred to by another package.
E: Package 'linux-modules-extra' has no installation candidate
""": "The package linux-modules-extra is known but not to be had in this suite: leave it out.",
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
""": "The mirror 192.0.2.7:80 does not answer: check the mirror and the network, then retry.",
    """\
E: Failed to fetch http://m.example/pool/vim_9_amd64.deb  404  Not Found [IP: 192.0.2.1 80]
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
""": "The mirror has no http://m.example/pool/vim_9_amd64.deb: check the mirror and the suite.",
    """\
Err:2 http://m.example/debian trixy Release
E: The repository 'http://m.example/debian trixy Release' does not have a Release file.
""": "The mirror does not carry this suite: check both.",
    """\
W: GPG error: http://m.example/debian bookworm InRelease: The following signatures couldn't be
 verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9
E: The repository 'http://m.example/debian bookworm InRelease' is not signed.
""": "The mirror's signature cannot be checked: the suite's key is missing or expired here"
    " (package debian-archive-keyring).",
    """\
dpkg: error processing archive /var/cache/apt/archives/linux-image.deb (--unpack):
 cannot copy extracted data to '/boot/vmlinuz.dpkg-new': failed to write (No space left on device)
E: Sub-process /usr/bin/dpkg returned an error code (1)
""": "The disk is full: free some space (zwizard clean), or move the cache with XDG_CACHE_HOME.",
    """\
Failed to enable unit: Unit file ngnix.service does not exist.
""": "There is no service ngnix.service in the image: mend it in 'Services to enable', or install"
    " its package.",
    """\
there is no time zone Europe/Pris in this suite
""": "There is no time zone Europe/Pris in this suite: mend it on the page System.",
    """\
modprobe: FATAL: Module virtio_sf not found in directory /lib/modules/6.1.0-25-amd64
""": "The kernel has no module virtio_sf: mend it in 'Modules in the initramfs'.",
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "02-packages.log"


@pytest.mark.parametrize(("text", "said"), KNOWN.items(), ids=KNOWN.values())
def test_a_known_failure_is_said_in_a_sentence(text: str, said: str, log: Path) -> None:
    log.write_text(f"+ chroot $CHROOT something\n{text}")
    assert likely(log) == said


def test_what_is_not_known_is_not_guessed(log: Path) -> None:
    log.write_text("make: *** [all] Error 2\n")
    assert likely(log) == ""


def test_a_log_that_is_not_there_has_no_cause_and_no_end(log: Path) -> None:
    assert (likely(log), tail(log)) == ("", "")


def test_the_last_of_several_is_meant(log: Path) -> None:
    log.write_text("E: Unable to locate package vmi\nE: Unable to locate package htp\n")
    assert "no package htp" in likely(log)


def test_only_the_end_of_a_long_log_is_looked_at(log: Path) -> None:
    log.write_text("E: Unable to locate package early\n" + "a line of output\n" * 10_000)
    assert likely(log) == ""


def test_bytes_that_are_no_text_do_not_matter(log: Path) -> None:
    log.write_bytes(b"\xff\xfe\n" * 100 + b"E: Unable to locate package htp\n")
    assert "no package htp" in likely(log)


def test_the_tail_is_the_last_lines_whole(log: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert tail(log, 3) == "line 97\nline 98\nline 99"
    assert tail(log, 1000).startswith("line 0\n")
