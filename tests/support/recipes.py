"""Any recipe, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from zwizard.recipe.fields import Checklist, Kernel, Output, Source, System
from zwizard.recipe.model import Recipe

WORDS = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,8}", fullmatch=True)
UNITS = st.from_regex(r"[a-z0-9:_.@\\-]{1,8}", fullmatch=True)
COMMANDS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
).filter(str.strip)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any recipe of a VM from Debian that is allowed."""
    bootstrap = draw(st.sampled_from(("auto", "mmdebstrap", "debootstrap")))
    variants = ("standard",) if bootstrap == "debootstrap" else ("standard", "minimal")
    return Recipe(
        name=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)),
        source=Source(
            suite=draw(st.sampled_from(("bookworm", "trixie"))),
            mirror=draw(st.sampled_from(("", "https://mirror.example/debian", "file:///srv/d"))),
            packages=tuple(draw(st.lists(WORDS))),
            bootstrap=bootstrap,
            variant=draw(st.sampled_from(variants)),
        ),
        system=System(
            timezone=draw(st.sampled_from(("UTC", "Europe/Paris", "America/Port-au-Prince"))),
            locale=draw(st.sampled_from(("C.UTF-8", "de_AT.UTF-8@euro", "POSIX"))),
            services=tuple(draw(st.lists(UNITS))),
            run=tuple(draw(st.lists(COMMANDS, max_size=3))),
        ),
        kernel=Kernel(
            package=draw(st.sampled_from(("", "linux-image-amd64", "linux-image-own"))),
            modules=tuple(draw(st.lists(st.sampled_from(("virtiofs", "nvme"))))),
        ),
        output=Output(
            directory=draw(st.sampled_from((".", "/srv/with space", "../täler"))),
            compression=draw(st.sampled_from(("fast", "small"))),
        ),
        checklist=Checklist(
            disk_size=draw(st.sampled_from(("5GiB", "512M"))),
            waive=tuple(draw(st.lists(st.sampled_from(("ssh-host-keys", "setuid-files"))))),
        ),
    )
