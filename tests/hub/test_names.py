"""Names on a hub: those that it takes unchanged, and the addresses that get a token."""

from __future__ import annotations

import pytest

from tests.hub.upload import flist_name, secure_name
from zwizard.hub import names
from zwizard.util.errors import UsageError


@pytest.mark.parametrize(
    "name", ["a", "web", "debian-12", "a_b", "a.b", "A1", "a-", "a_", "1", "x" * 200]
)
def test_the_hub_takes_a_name_unchanged(name: str) -> None:
    assert names.flist(f"{name}.tar.gz") == name
    temporary = names.temporary(name)
    assert flist_name(secure_name(f"{temporary}.tar.gz").removesuffix(".tar.gz")) == (
        f"{temporary}.flist"
    )


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "_a", "-a", "a.", "a b", "a+b~c", "ubuntu:jammy", "имя", "a/b",
     "my image (1)", "a.tar.gz", "a\n", "x" * 201],
)  # fmt: skip
def test_a_name_that_the_hub_would_change_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name of a flist"):
        names.flist("a.tar.gz", name)


@pytest.mark.parametrize("archive", ["a.tgz", "a.TAR.GZ", "a.tar", "a.tar.xz", "a", "image.raw"])
def test_a_file_that_the_hub_refuses_is_refused(archive: str) -> None:
    with pytest.raises(UsageError, match=r"no \.tar\.gz"):
        names.flist(archive)


def test_the_hub_is_named_or_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZWIZARD_HUB", "ZFLIST_HUB"):
        monkeypatch.delenv(name, raising=False)
    assert names.hub() == "https://hub.threefold.me"
    monkeypatch.setenv("ZFLIST_HUB", "https://theirs.example/")
    assert names.hub() == "https://theirs.example"
    monkeypatch.setenv("ZWIZARD_HUB", "ours.example")
    assert names.hub() == "https://ours.example"
    assert names.hub("http://127.0.0.1:5555") == "http://127.0.0.1:5555"


@pytest.mark.parametrize(
    "url",
    ["http://hub.threefold.me", "ftp://hub.example", "https://a:b@hub.example", "https://",
     "https://hub.example/?q=1", "https://hub.example/#x", "https://hub.example:x", "a b"],
)  # fmt: skip
def test_an_address_that_may_not_get_a_token_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        names.hub(url)


def test_an_account_is_a_plain_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZFLIST_HUB_USER", "tf-official-apps")
    assert names.user() == "tf-official-apps"
    assert names.user("alice.3bot") == "alice.3bot"
    with pytest.raises(UsageError, match="account"):
        names.user("a; other=b")
