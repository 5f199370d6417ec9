"""Whether KVM runs guests: tested with a tiny one."""

from __future__ import annotations

from pathlib import Path

import pytest

from zwizard.boottest.machine import accelerator
from zwizard.host import tools
from zwizard.util.errors import ZwizardError

needs_qemu = pytest.mark.skipif(
    not tools.find("qemu-system-x86_64"), reason="qemu-system-x86_64 is not here"
)


@pytest.mark.slow
@needs_qemu
def test_the_tiny_guest_runs_where_guests_can_run() -> None:
    assert accelerator.run_tiny_guest("tcg") == ""


@pytest.mark.slow
@needs_qemu
def test_a_guest_without_the_exit_code_did_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = accelerator.tiny_guest().replace(bytes.fromhex("b02a"), bytes.fromhex("b02b"))
    monkeypatch.setattr(accelerator, "tiny_guest", lambda: broken)
    assert "did not run" in accelerator.run_tiny_guest("tcg")
    monkeypatch.setattr(accelerator, "tiny_guest", lambda: bytes(1 << 20))  # nothing to start
    monkeypatch.setattr(accelerator, "_TIMEOUT", 0.5)
    assert "did not finish" in accelerator.run_tiny_guest("tcg")


def test_a_host_without_kvm_uses_emulation_and_more_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(accelerator, "_KVM", tmp_path / "kvm")
    found = accelerator.accelerate(tmp_path)
    assert found.by == "tcg"
    assert found.why.endswith("/dev/kvm is missing")
    assert found.patience > accelerator.KVM.patience


def test_the_guest_fits_the_sector_that_a_bios_loads() -> None:
    disk = accelerator.tiny_guest()
    assert disk[510:512] == b"\x55\xaa"
    assert disk[0x68:0x78] == bytes(8) + (0x00209A0000000000).to_bytes(8, "little")
    assert not any(disk[512:])


def test_missing_firmware_is_reported_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tools, "find", lambda name: None)
    with pytest.raises(ZwizardError, match="OVMF"):
        accelerator.firmware()


@pytest.mark.skipif(not tools.find("OVMF"), reason="OVMF is not here")
def test_firmware_comes_with_its_own_empty_state() -> None:
    code, state = accelerator.firmware()
    assert code != state
    assert state.is_file()
