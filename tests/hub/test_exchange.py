"""The exchange of an upload with a hub, when all is well and with every fault injected."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from tests.hub.faults import ALWAYS, EVERY, Call, Exchange, Fault
from tests.hub.hub import Hub
from tests.hub.samples import SAMPLE, entry, packed
from tests.hub.server import running
from zwizard.hub import token
from zwizard.hub.blocks import Store
from zwizard.hub.client import Client, HubError, Patience
from zwizard.hub.exchange import Exchange as Upload
from zwizard.hub.exchange import Published
from zwizard.hub.uploader import left_by
from zwizard.image.flist.compare import compare, read_archive
from zwizard.image.flist.tree import FlistTree
from zwizard.jobs.events import Event, UploadPhase, UploadRemoved
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import sanitise

pytestmark = pytest.mark.slow

ALICE = "alice.3bot"
PATIENT = Patience()
QUICK = Patience(connect=2, silence=0.4, whole=0.5, unpacking=1.0, pauses=(0.01, 0.02, 0.04, 0.08))


@dataclass
class Uploads:
    """Uploads of one archive to ``hub``."""

    hub: Hub
    archive: Path
    events: list[Event] = field(default_factory=list)
    stop_at: str = ""  # the phase at which it is cancelled

    def run(
        self, *, replace: bool = True, patience: Patience = PATIENT, **left: object
    ) -> Published:
        own = token.read(self.hub.token, self.hub.url)
        client = Client(self.hub.url, own, patience=patience)
        archive = read_archive(self.archive)
        with archive.tree:
            return Upload(
                client, self.archive, archive, "my", replace, self.events.append,
                lambda: self.stop_at in self.phases, **left,  # type: ignore[arg-type]
            ).run()  # fmt: skip

    @property
    def phases(self) -> list[str]:
        return [event.phase for event in self.events if isinstance(event, UploadPhase)]

    @property
    def sent(self) -> list[str]:
        phases = (event for event in self.events if isinstance(event, UploadPhase))
        return [event.temporary for event in phases if event.phase == "sending"]


@pytest.fixture
def uploads(hub: Hub, tmp_path: Path) -> Uploads:
    archive = tmp_path / "my.tar.gz"
    archive.write_bytes(SAMPLE)
    return Uploads(hub, archive)


def test_an_upload_is_compared_under_another_name_before_it_has_its_own(
    hub: Hub, uploads: Uploads
) -> None:
    published = uploads.run()
    assert hub.store.names(ALICE) == ["my.flist"]
    assert published.comparison.equal
    assert (published.url, published.md5) == (
        f"{hub.url}/{ALICE}/my.flist", hub.store.md5(ALICE, "my"),
    )  # fmt: skip
    assert uploads.phases == ["asking", "sending", "unpacking", "comparing", "publishing"]
    [upload] = hub.uploads
    assert upload.form.filename == f"{uploads.sent[0]}.tar.gz"
    assert upload.form.fields["metadata-tool"] == "zwizard"
    assert isinstance(uploads.events[-1], UploadRemoved)
    calls = [request.call for request in hub.requests]
    assert calls.index(Call.ME) < calls.index(Call.UPLOAD) < calls.index(Call.DOWNLOAD)
    assert calls.index(Call.RENAME) < calls.index(Call.HEAD) < calls.index(Call.MD5)


def test_an_archive_that_is_there_is_not_sent_again(hub: Hub, uploads: Uploads) -> None:
    uploads.run()
    published = uploads.run(replace=False)
    assert (published.sent, published.comparison.equal, len(hub.uploads)) == (False, True, 1)


def test_a_flist_of_this_name_is_replaced_only_if_that_is_allowed(
    hub: Hub, uploads: Uploads
) -> None:
    uploads.run()
    uploads.archive.write_bytes(packed((entry("./new"), b"new")))
    before = hub.flist("my")
    with pytest.raises(UsageError, match="already"):
        uploads.run(replace=False)
    assert (hub.flist("my"), len(hub.uploads)) == (before, 1)
    assert uploads.run(replace=True).sent
    assert hub.flist("my") != before


def test_the_store_is_asked_for_every_block_if_wished(hub: Hub, uploads: Uploads) -> None:
    assert uploads.run().stored == 0
    published = uploads.run(deep=True)
    assert 0 < published.stored <= published.comparison.blocks
    assert Call.BLOCKS in [request.call for request in hub.requests]


@pytest.mark.parametrize("what", [Exchange.WRONG, Exchange.NOISE, Exchange.DROP, Exchange.SILENCE])
def test_a_store_without_the_blocks_or_an_answer_keeps_the_older_flist(
    what: Exchange, hub: Hub, uploads: Uploads
) -> None:
    hub.store.publish(ALICE, "my", OLD)
    hub.faults = [replace(Fault(what, Call.BLOCKS), times=ALWAYS)]
    with pytest.raises(
        HubError, match="missing in the hub" if what == Exchange.WRONG else "cannot be asked"
    ):
        uploads.run(deep=True, patience=QUICK)
    assert hub.store.path(ALICE, "my").read_bytes() == OLD
    assert hub.store.names(ALICE) == ["my.flist"]


def test_a_flist_whose_blocks_no_node_can_read_is_no_upload(uploads: Uploads) -> None:
    own = token.read(uploads.hub.token, uploads.hub.url)
    archive = read_archive(uploads.archive)
    with archive.tree, pytest.raises(HubError, match="where no node is"):
        Upload(
            Client("https://hub.example", own), uploads.archive, archive, "my", False,
            uploads.events.append, lambda: False, deep=True,
        )._find(set(), Store.named_by('{"host": "127.0.0.1", "port": 9900}'))  # fmt: skip


@pytest.mark.parametrize("backend", ["", "[]", "{", '{"host": "", "port": 1}', '{"host": "a"}'])
def test_a_flist_that_names_no_store_is_told_so(backend: str) -> None:
    with pytest.raises(HubError, match="does not say where its blocks are"):
        Store.named_by(backend)


OLD = b"an older flist of the user's"


def outcome(fault: Fault, place: Path) -> str:
    """What is wrong after an upload to a hub with ``fault``, over a flist of the user's."""
    place.mkdir()
    archive = place / "my.tar.gz"
    archive.write_bytes(SAMPLE)
    with running(Hub(place / "hub")) as hub:
        hub.store.publish(ALICE, "my", OLD)
        hub.faults = [fault]
        uploads, md5, error = Uploads(hub, archive), "", ""
        try:
            md5 = uploads.run(patience=QUICK, deep=True).md5
        except (ZwizardError, OSError) as raised:
            error = f"{raised} {getattr(raised, 'hint', '')}"
        after = hub.store.path(ALICE, "my").read_bytes()
        (place / "flist").write_bytes(after)
        there = {name.removesuffix(".flist") for name in hub.store.names(ALICE)}
        wrong = {
            "uploaded, and is another": md5 and md5 != hub.store.md5(ALICE, "my"),
            "the user's flist is lost": after != OLD and not equal(archive, place / "flist"),
            "the token is shown": hub.token in error or "\x1b" in sanitise(error),
            "the token went to another host": any(
                "Authorization" in request.headers for request in hub.strangers
            ),
            "something is left, and not known": there
            - {"my", *left_by(uploads.events)[0]}
            - {"other"},
        }
    return ", ".join(text for text, is_so in wrong.items() if is_so)


def equal(archive: Path, flist: Path) -> bool:
    read = read_archive(archive)
    with read.tree, FlistTree(flist) as made:
        return compare(read, made).equal


def test_no_fault_makes_an_upload_false_or_loses_a_flist(tmp_path: Path) -> None:
    some = EVERY[::4]  # all of them take a minute
    assert len(some) >= 60
    assert outcomes(some, tmp_path) == {}


def outcomes(faults: list[Fault], place: Path) -> dict[str, str]:
    """What is wrong after each fault; most of the time they wait."""
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(outcome, faults, (place / str(number) for number in count()))
        return {str(fault): text for fault, text in zip(faults, found, strict=False) if text}
