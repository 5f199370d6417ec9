"""Build directories: one archive, one build, and one runner on it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.builds import begin, deliver, end, new_build, running
from tests.support.executables import elf, initramfs
from zwizard.engine import builds
from zwizard.engine.layers import Store
from zwizard.host.privileges import Privilege
from zwizard.recipe.fields import Container, Output
from zwizard.recipe.model import Recipe
from zwizard.sources.resolve import output_directory, relocate
from zwizard.util import state_files
from zwizard.util.errors import UsageError
from zwizard.util.user_files import ForeignFileError


def test_a_build_is_named_after_its_recipe_and_keeps_it(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    assert build.id == "web"
    assert build.directory == builds.directory() / "web"
    assert build.archive() == tmp_path / "web.tar.gz"
    assert builds.find("web") == build
    assert build.recipe() == Recipe(name="web", output=Output(directory=str(tmp_path)))


def test_a_relative_output_is_relative_to_the_recipes_place(tmp_path: Path) -> None:
    recipe = Recipe(output=Output(directory="../images"))
    (tmp_path / "recipes").mkdir()
    assert builds.open_for(recipe, tmp_path / "recipes").archive().parent == tmp_path / "images"


def test_a_home_directory_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    recipe = Recipe(output=Output(directory="~/images"))
    assert output_directory(recipe, Path("/")) == tmp_path / "me/images"


def test_an_unknown_users_home_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="~no-such-user/x: there is no such home directory"):
        builds.open_for(Recipe(output=Output(directory="~no-such-user/x")), tmp_path)


def test_an_edited_recipe_goes_on_in_the_build_that_makes_its_archive(tmp_path: Path) -> None:
    first = new_build("web", tmp_path)
    begin(first)
    edited = replace(Recipe(name="web"), system=replace(Recipe().system, timezone="Europe/Paris"))
    again = builds.open_for(edited, tmp_path)
    assert again == first
    assert again.recipe().system.timezone == "Europe/Paris"
    assert len(again.events()) == 1


def test_another_archive_of_the_same_name_is_another_build(tmp_path: Path) -> None:
    new_build("web", tmp_path)
    assert new_build("web", tmp_path / "elsewhere").id == "web-2"
    assert new_build("web", tmp_path / "third").id == "web-3"
    assert builds.making(tmp_path / "elsewhere/web.tar.gz") == builds.find("web-2")
    assert builds.making(tmp_path / "other.tar.gz") is None


def test_a_build_is_running_exactly_while_its_lock_is_held(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    assert not build.running()
    with running(build):
        assert build.running()
    assert build.lock.exists()
    assert not build.running()


def test_a_running_build_is_not_given_another_recipe(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    with running(build):
        assert new_build("web", tmp_path) == build
        with pytest.raises(UsageError, match="another version of this recipe") as caught:
            new_build("web", tmp_path, Recipe(output=Output(compression="small")))
    assert "zwizard cancel web" in caught.value.hint
    assert build.recipe().output.compression == "fast"


def test_a_running_build_is_not_removed(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    with running(build), pytest.raises(UsageError, match="web is running"):
        builds.remove(build)
    assert build.recipe_file.exists()


def test_of_several_that_start_at_once_one_makes_the_build(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as at_once:
        made = list(at_once.map(lambda _: new_build("web", tmp_path), range(8)))
    assert {build.id for build in made} == {"web"}


def test_builds_of_two_state_homes_have_workspaces_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Privilege("root", "root")
    places = set()
    for home in ("one", "two"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / home))
        places.add(new_build("web", tmp_path).workspace(tmp_path / "cache", root))
    assert len(places) == 2


def test_removing_a_build_leaves_its_archive(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    archive = end(build)
    builds.remove(build)
    assert archive.exists()
    assert builds.everything() == []


def test_the_build_that_was_touched_last_comes_first(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "newest", "newer")):
        build = new_build(name, tmp_path)
        os.utime(build.recipe_file, (number, number))
        if name == "newest":
            begin(build)
    assert [build.id for build in builds.everything()] == ["newest", "newer", "old"]


def test_a_recipe_read_in_another_directory_means_the_same_files(tmp_path: Path) -> None:
    recipe = Recipe.from_toml(
        '[source]\nkind = "rootfs"\nlocation = "tree.tar"\n'
        '[kernel]\nfile = "../vmlinuz"\ninitrd = "https://host.example/initrd.img"\n'
        '[output]\ndirectory = "images"\n'
    )
    there, here = tmp_path / "there", tmp_path / "here"
    moved = relocate(recipe, there, here)
    assert moved.source.location == f"{there}/tree.tar"
    assert moved.kernel.file == f"{tmp_path}/vmlinuz"
    assert moved.kernel.initrd == "https://host.example/initrd.img"
    assert moved.output.directory == f"{there}/images"
    assert relocate(moved, here, there) == moved
    assert relocate(recipe, there, there) == recipe


def test_an_own_kernel_is_known_again_by_its_sum(tmp_path: Path) -> None:
    recipe = Recipe.from_toml('[kernel]\nfile = "vmlinux"\ninitrd = "initrd.img"\n')
    with pytest.raises(UsageError, match="vmlinux does not exist") as caught:
        builds.open_for(recipe, tmp_path)
    assert caught.value.hint.startswith("kernel.file")
    (tmp_path / "vmlinux").write_bytes(elf())
    (tmp_path / "initrd.img").write_bytes(initramfs())
    first = builds.open_for(recipe, tmp_path).recipe()
    (tmp_path / "initrd.img").write_bytes(initramfs() + initramfs())
    second = builds.open_for(recipe, tmp_path).recipe()
    assert first.kernel.file == second.kernel.file == str(tmp_path / "vmlinux")
    assert first.kernel.sha256 == second.kernel.sha256 != ""
    assert first.kernel.initrd_sha256 != second.kernel.initrd_sha256


def test_what_is_no_kernel_is_refused_before_anything_runs(tmp_path: Path) -> None:
    recipe = Recipe.from_toml('[kernel]\nfile = "vmlinux"\ninitrd = "initrd.img"\n')
    (tmp_path / "vmlinux").write_text("hello\n")
    with pytest.raises(UsageError, match="vmlinux cannot be used: it is a text file"):
        builds.open_for(recipe, tmp_path)
    (tmp_path / "vmlinux").write_bytes(elf())
    (tmp_path / "initrd.img").write_text("hello\n")
    with pytest.raises(UsageError, match=r"initrd\.img cannot be used: .* text file, not"):
        builds.open_for(recipe, tmp_path)


def test_what_is_no_build_is_not_listed(tmp_path: Path) -> None:
    new_build("web", tmp_path)
    (builds.directory() / "empty").mkdir()
    (builds.directory() / "file").write_text("")
    assert [build.id for build in builds.everything()] == ["web"]


def test_a_build_with_a_recipe_of_another_version_neither_breaks_nor_takes_part(
    tmp_path: Path,
) -> None:
    old = new_build("web", tmp_path)
    state_files.write(old.recipe_file, 'name = "web"\ncolour = "red"\n')
    assert new_build("web", tmp_path).id == "web-2"
    assert {build.id for build in builds.everything()} == {"web", "web-2"}


@pytest.mark.parametrize("name", ["wbe", "", ".", "..", "../builds/web", "/", "web/", "a\x1b[2J"])
def test_an_unknown_build_name_lists_the_builds(tmp_path: Path, name: str) -> None:
    new_build("web", tmp_path)
    with pytest.raises(UsageError, match="there is no build") as caught:
        builds.find(name)
    assert caught.value.hint == "Builds: web."


def test_with_no_builds_the_hint_says_so() -> None:
    with pytest.raises(UsageError) as caught:
        builds.find("web")
    assert caught.value.hint == "Builds: none yet."


def test_only_a_running_build_can_be_asked_to_stop(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    assert not build.request_cancel()
    assert not build.cancel_request.exists()
    with running(build):
        assert build.request_cancel()
    assert build.cancel_request.exists()


def test_the_layers_of_a_build_are_synced_when_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = new_build("web", tmp_path)
    synced: list[Path] = []
    monkeypatch.setattr(Store, "sync", lambda store: synced.append(store.directory))
    privilege = Privilege("root", "root")
    build.after_end(build.workspace(tmp_path, privilege))
    assert synced == [privilege.layers_below(tmp_path)]


def test_what_a_build_makes_for_the_user_is_the_archive_and_the_note(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    assert build.targets() == (tmp_path / "web.tar.gz", tmp_path / "web.deploy.md")


@pytest.mark.parametrize("name", ["web.tar.gz", "web.deploy.md"])
def test_a_build_replaces_no_file_of_others_without_a_yes(tmp_path: Path, name: str) -> None:
    wanted = Recipe(name="web", target="container", container=Container(entrypoint="/bin/sh"))
    (tmp_path / name).write_text("precious")
    with pytest.raises(ForeignFileError, match=name):
        builds.open_for(wanted, tmp_path)
    assert builds.everything() == []
    build = builds.open_for(wanted, tmp_path, replace=True)
    (tmp_path / name).write_text("another, written since")
    with pytest.raises(ForeignFileError, match=name):
        builds.claim(build, replace=False)
    builds.claim(build, replace=True)
    assert (tmp_path / name).read_text() == "another, written since"


def test_only_what_zwizard_wrote_counts_as_an_output(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    assert build.outputs() == ()
    build.archive().write_text("precious")
    assert build.outputs() == ()
    build.archive().unlink()
    deliver(build)
    assert build.outputs() == (build.archive(), build.user_files.record(build.archive()))
