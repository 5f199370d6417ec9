"""The report of a check: readiness, JSON, and text that is safe to show."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.support.executables import PACKERS, bzimage, elf
from tests.support.trees import archive as archived
from tests.support.trees import member, packed, vm_tree
from zwizard.checks import (
    Group,
    Mode,
    Outcome,
    Severity,
    all_rules,
    check,
    find_rule,
    render_text,
    report_of,
)
from zwizard.checks.report.docs import modes
from zwizard.image import UnreadableError
from zwizard.util.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return vm_tree(tmp_path / "image")


INTERFACE = """\
must *: archive-name archive-readable archive-root archive-paths mode build-leftovers
    flist-directory-size flist-file-size flist-names
must C: entrypoint-link entrypoint entrypoint-loader entrypoint-starts
must V: kernel-resolves kernel-link-relative kernel-elf kernel-pvh kernel-whole kernel-version
    initrd-resolves initrd-virtiofs initrd-virtio-pci kernel-drivers
must R: image-name image-is-raw image-gpt image-root esp-present esp-fat esp-loader loader-files
    grub-kernel grub-root image-fits-disk services-enabled
must CV: userland-arch
must VR: tree-modes initrd-readable initrd-init initrd-root init-present init-starts ssh-starts
    cloud-init-runs cloud-init-installed
    cloud-init-enabled cloud-init-nocloud cloud-init-clean network-renderer
    network-configured fstab-mounts first-boot-asks
should *: archive-name-survives mode-single no-secrets resolv-conf
    flist-directory-segments
should C: entrypoint-startup-toml
should V: kernel-recent kernel-upgrades
should R: image-gpt-backup loader-known esp-room grub-cmdline grub-timeout root-partition-last
    image-multiple growpart
should CV: archive-owners tree-mountpoints dev-empty special-files setuid-files path-colon
should VR: tree-owners cloud-init-network-clean ssh-server ssh-key-login ssh-host-keys
    root-password machine-id fstab
advice *: archive-duplicates package-cache
advice C: container-kernel-modules container-single-process
advice V: kernel-btrfs
advice R: filesystem-clean
advice VR: hostname
"""


def test_names_severities_and_modes_are_stable() -> None:
    """Recipes, reports and programs name rules: none is renamed, and none turns stricter alone."""
    expected: dict[str, tuple[str, str]] = {}
    for group in re.split(r"\n(?=\S)", INTERFACE.strip()):
        kind, slugs = group.split(":")
        expected |= dict.fromkeys(slugs.split(), (kind.split()[0], kind.split()[1]))
    assert {rule.slug: (rule.severity.value, modes(rule)) for rule in all_rules()} == expected
    assert {rule.slug for rule in all_rules() if rule.must_in} == {"resolv-conf"}


def test_rules_have_unique_names_and_all_texts() -> None:
    slugs = [rule.slug for rule in all_rules()]
    assert len(set(slugs)) == len(slugs)
    for rule in all_rules():
        assert rule.title
        assert rule.source
        assert rule.fix
        assert rule.modes
        assert rule.judge.__doc__
        assert rule.example


def test_a_rule_comes_after_a_must_that_is_judged_before_it() -> None:
    slugs = [rule.slug for rule in all_rules()]
    for rule in all_rules():
        if rule.after:
            assert find_rule(rule.after).severity is Severity.MUST
            assert slugs.index(rule.after) < slugs.index(rule.slug)
            assert rule.modes <= find_rule(rule.after).modes


def test_the_json_has_the_documented_shape(root: Path) -> None:
    (root / "boot" / "vmlinuz-6.1.0-50-cloud-amd64").write_bytes(bzimage(PACKERS["lz4"](elf())))
    shown = json.loads(json.dumps(check(root, mode="vm").to_json()))
    assert list(shown) == ["artefact", "mode", "ready", "findings"]
    assert (shown["artefact"], shown["mode"], shown["ready"]) == (str(root), "vm", False)
    assert [finding["rule"] for finding in shown["findings"]] == [
        rule.slug for rule in all_rules()
    ]
    finding = next(found for found in shown["findings"] if found["rule"] == "kernel-elf")
    assert finding == {
        "rule": "kernel-elf",
        "severity": "must",
        "outcome": "fail",
        "evidence": "it is a compressed kernel (bzImage: 6.1.0-50-cloud-amd64, lz4)",
        "source": find_rule("kernel-elf").source,
        "fix": finding["fix"],
    }
    assert "zwizard repair" in finding["fix"]


def test_rules_after_a_failed_rule_are_not_checked(root: Path) -> None:
    (root / "boot/vmlinuz").unlink()
    report = check(root, mode="vm")
    finding = report.finding("kernel-pvh")
    assert finding.outcome is Outcome.NOT_APPLICABLE
    assert finding.evidence == "not checked: kernel-elf must pass first"
    assert finding.fix == ""


def test_what_could_not_be_checked_follows_from_its_cause(root: Path) -> None:
    (root / "boot/vmlinuz").unlink()
    report = check(root, mode="vm")
    cause = report.finding("kernel-resolves")
    assert {"kernel-elf", "kernel-pvh"} <= set(report.following(cause))
    assert report.finding("kernel-pvh").group is Group.FOLLOWING
    shown = {found["rule"]: found for found in report.to_json()["findings"]}
    assert shown["kernel-pvh"]["cause"] == "kernel-resolves"
    assert "cause" not in shown["kernel-resolves"]
    assert report_of(report.to_json()) == report
    text = render_text(report)
    assert f"{len(report.following(cause))} others follow: kernel-" in text
    assert "[kernel-pvh]" not in text
    assert "consequences, " in text.splitlines()[-1]


def test_a_waived_finding_is_shown_but_not_counted(root: Path) -> None:
    (root / "image.raw").write_bytes(b"x")
    report = check(root, mode="vm", waive=["mode-single", "kernel-btrfs"])
    assert [finding.slug for finding in report.under(Group.WAIVED)] == ["mode-single"]
    shown = {found["rule"]: found for found in report.to_json()["findings"]}
    assert shown["mode-single"]["waived"] is True
    assert "Waived" in render_text(report)


@pytest.mark.parametrize(
    ("slug", "message"),
    [
        ("kernel-elf", "the rule kernel-elf cannot be waived"),
        ("kernel-elv", "there is no rule named 'kernel-elv'"),
    ],
)
def test_a_wrong_waiver_is_refused(root: Path, slug: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(root, waive=[slug])


def test_a_wrong_mode_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="there is no mode 'disk'"):
        check(root, mode="disk")


def test_the_text_shows_errors_and_their_fixes(root: Path) -> None:
    (root / "boot/vmlinuz").unlink()
    text = render_text(check(root, mode="vm"))
    assert "Errors" in text
    assert "/boot/vmlinuz does not exist" in text
    assert "Not ready: 2 errors, " in text
    (root / "boot/vmlinuz").symlink_to("vmlinuz-6.1.0-50-cloud-amd64")
    assert "\n\nReady: " in render_text(check(root, mode="vm"))


HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]\u202e\nnext"


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    path = archived(
        tmp_path / "a.tar.gz",
        member(f"/{HOSTILE}"),
        member("boot/vmlinuz", tarfile.SYMTYPE, f"/{HOSTILE}"),
        member(f"boot/vmlinuz-{HOSTILE}"),
    )
    report = check(path, mode="vm")
    assert "\x1b" in report.finding("archive-paths").evidence
    text = render_text(report)
    assert not set(text) & set("\x1b\x07\u202e")
    assert "next" not in {line[:4] for line in text.splitlines()}
    json.dumps(report.to_json()).encode("ascii")


@pytest.mark.parametrize("found", ["nothing", "file.txt"])
def test_anything_but_an_artefact_is_an_error(tmp_path: Path, found: str) -> None:
    (tmp_path / "file.txt").write_bytes(b"hello\n")
    with pytest.raises(UnreadableError) as caught:
        check(tmp_path / found)
    assert caught.value.exit_code == 2


def test_progress_and_mode_names_are_accepted(root: Path, tmp_path: Path) -> None:
    path = packed(root, tmp_path / "a.tar.gz")
    seen: list[int] = []
    report = check(path, mode=Mode.VM, progress=lambda done, total: seen.append(done))
    assert seen[-1] == path.stat().st_size
    assert report.ready
