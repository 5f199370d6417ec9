"""Verify the keys of a distribution's archive by their fingerprints."""

from dataclasses import dataclass

from zwizard.steps.actions.action import FunctionCall
from zwizard.steps.actions.commands import SANDBOX_PROGRAMS


@dataclass(frozen=True)
class TrustKeys(FunctionCall):
    """Put the keys of an archive into ``$DOWNLOADS/file``, verified by their ``fingerprints``.

    If this machine has no such keyring, it is taken from ``package`` of ``suite`` at ``mirror``.
    """

    file: str
    package: str
    mirror: str
    suite: str
    fingerprints: tuple[str, ...]
    programs = ("curl", "dpkg-deb", "gpg", "xz")
    scripts = ("fetch.sh", "keys.sh")
    function = "trust_keys"


@dataclass(frozen=True)
class TrustPackagers(FunctionCall):
    """Make a keyring for pacman in ``$DOWNLOADS/name/gnupg`` of ``package`` at ``mirror``.

    It trusts the packagers whom the master keys with these ``fingerprints`` have signed.
    """

    name: str
    package: str
    mirror: str
    fingerprints: tuple[str, ...]
    programs = (*SANDBOX_PROGRAMS, "curl", "flock", "gpg", "tar", "zstd")
    scripts = ("sandbox.sh", "fetch.sh", "packagers.sh")
    function = "trust_packagers"
