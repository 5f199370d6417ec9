"""Questions and answers: everything asked fills the recipe, and nothing is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.support.recipes import recipes
from zwizard.recipe.fields import FIELDS, Checklist, Kernel, Source, System
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.wizard import questions
from zwizard.wizard.questions import BASE, Question, all_questions

BY_KEY = {question.key: question for question in all_questions()}


@pytest.mark.parametrize("question", all_questions(), ids=lambda question: question.key)
def test_a_question_fills_a_key_that_the_recipe_has(question: Question) -> None:
    assert question.key in FIELDS


@pytest.mark.parametrize("question", all_questions(), ids=lambda question: question.key)
def test_a_question_says_why_it_is_asked_and_stands_on_a_page(question: Question) -> None:
    assert question.text
    assert len(question.why) > 20
    assert question.page in {page.name for page in questions.PAGES}


@pytest.mark.parametrize("question", all_questions(), ids=lambda question: question.key)
def test_the_default_answers_the_question(question: Question) -> None:
    assert questions.problem(question, {}) == ("Required" if question.required else "")
    assert question.answer({}) == question.default({})


KINDS = [
    {"target": target.value, "source.kind": kind.value}
    for target in BY_KEY["target"].choices({})
    for kind in BY_KEY["source.kind"].choices({"target": target.value})
]


@pytest.mark.parametrize("given", KINDS, ids=lambda given: "-".join(given.values()))
def test_no_key_is_asked_twice(given: dict[str, str]) -> None:
    keys = [question.key for question in questions.asked(given)]
    assert sorted(set(keys)) == sorted(keys)


def test_pages_come_in_order() -> None:
    order = [page.name for page in questions.PAGES]
    pages = [order.index(question.page) for question in all_questions()]
    assert pages == sorted(pages)


def test_a_page_shows_its_questions_and_no_others() -> None:
    shown = [q for page in questions.PAGES for q in questions.on_page(page.name, {})]
    assert tuple(shown) == questions.asked({})


@pytest.mark.parametrize("question", all_questions(), ids=lambda question: question.key)
def test_every_choice_can_be_taken_or_says_why_not(question: Question) -> None:
    for choice in question.choices({}):
        assert question.own_problem({question.key: choice.value}) == choice.unavailable


def test_no_answers_lead_to_the_default_recipe() -> None:
    assert questions.problems({}) == {}
    assert questions.to_recipe({}) == Recipe()


@pytest.mark.slow
@given(recipes())
def test_answers_lead_back_to_the_recipe_they_came_from(recipe: Recipe) -> None:
    assert questions.to_recipe(questions.from_recipe(recipe)) == recipe


def test_keys_without_a_question_are_kept() -> None:
    recipe = Recipe(checklist=Checklist(disk_size="9GiB", waive=("setuid-files",)))
    given = questions.from_recipe(recipe)
    assert "checklist.waive" not in BY_KEY
    assert questions.to_recipe(given).checklist == recipe.checklist
    changed = questions.to_recipe(given | {"name": "other"})
    assert changed == replace(recipe, name="other")


def test_a_command_of_several_lines_stays_one_until_it_is_changed() -> None:
    command = "cat > /etc/motd <<'END'\n  hello\n\nEND"
    recipe = Recipe(system=System(run=(command, " true")))
    given = questions.from_recipe(recipe)
    assert questions.to_recipe(given | {"system.locale": "POSIX"}).system.run == (command, " true")
    given["system.run"] = "echo one\n\n  echo two \n"
    assert questions.to_recipe(given).system.run == ("echo one", "echo two")


def test_your_own_kernel_replaces_the_questions_about_a_package() -> None:
    given = {"kernel.package": "linux-image-amd64", "kernel.modules": "nvme"}
    keys = {question.key for question in questions.asked(given)}
    assert {"kernel.package", "kernel.modules"} <= keys
    assert "kernel.initrd" not in keys
    given |= {"kernel.file": "vmlinuz", "kernel.initrd": "initrd.img"}
    keys = {question.key for question in questions.asked(given)}
    assert "kernel.initrd" in keys
    assert not {"kernel.package", "kernel.modules"} & keys
    made = questions.to_recipe(given).kernel
    assert (made.package, made.file, made.initrd) == ("", "vmlinuz", "initrd.img")


def test_the_kernel_of_an_opened_recipe_can_be_replaced_and_restored() -> None:
    packaged = questions.from_recipe(Recipe(kernel=Kernel(package="linux-image-amd64")))
    own = questions.to_recipe(packaged | {"kernel.file": "vmlinuz", "kernel.initrd": "initrd.img"})
    assert own.kernel.package == ""
    summed = replace(own, kernel=replace(own.kernel, sha256="0" * 64, initrd_sha256="0" * 64))
    other = questions.to_recipe(questions.from_recipe(summed) | {"kernel.file": "other"})
    assert (other.kernel.sha256, other.kernel.initrd_sha256) == ("", "")
    back = questions.to_recipe(questions.from_recipe(summed) | {"kernel.file": ""})
    assert back.kernel == Kernel()


def test_a_changed_answer_wins_over_the_opened_recipe() -> None:
    recipe = Recipe(source=Source(packages=("vim", "htop")), kernel=Kernel(modules=("nvme",)))
    given = questions.from_recipe(recipe) | {"source.packages": "", "kernel.modules": "a, b,c\td"}
    made = questions.to_recipe(given)
    assert made.source.packages == ()
    assert made.kernel.modules == ("a", "b", "c", "d")


def test_the_default_name_follows_target_and_source() -> None:
    assert BY_KEY["name"].answer({}) == "debian-vm"
    assert BY_KEY["name"].answer({"target": "container"}) == "debian-container"
    assert BY_KEY["name"].answer({"target": "container", "name": "web"}) == "web"
    imported = {"target": "container", "source.kind": "rootfs"}
    assert BY_KEY["name"].answer({**imported, "source.location": "/srv/web.tar"}) == "web"


def test_by_default_an_archive_does_not_get_the_name_of_its_source() -> None:
    answers = {"target": "vm", "source.kind": "rootfs", "source.location": "web.tar.gz"}
    assert BY_KEY["name"].answer(answers) == "web-vm"


def test_spaces_around_a_line_do_not_count() -> None:
    assert questions.to_recipe({"name": " web "}).name == "web"


WRONG = {
    "name": "a b",
    "target": "vmm",
    "source.mirror": "mirror.example",
    "source.packages": "vim --force",
    "kernel.modules": "virtio/fs",
    "system.timezone": "Mars/../etc",
    "system.locale": "english",
    "system.services": "ng!nx",
    "system.run": "true\na\0b",
    "output.directory": "",
    "output.compression": "tiny",
}


@pytest.mark.parametrize(("key", "text"), WRONG.items())
def test_a_wrong_answer_is_reported_at_its_question_and_makes_no_recipe(
    key: str, text: str
) -> None:
    given = {key: text}
    assert list(questions.problems(given)) == [key]
    with pytest.raises(RecipeError) as caught:
        questions.to_recipe(given)
    assert [problem.key for problem in caught.value.problems] == [key]


MIRROR = "https://mirror.example/archlinux"
ARCH = {"source.distro": "arch", "source.mirror": MIRROR}


def test_arch_gets_its_own_questions_and_choices() -> None:
    asked = {question.key for question in questions.asked(ARCH)}
    assert "source.suite" not in asked
    offered = {
        choice.value for key in ("source.bootstrap", "kernel.package")
        for choice in BY_KEY[key].choices(ARCH)
    }  # fmt: skip
    assert offered == {"auto", "pacstrap", "", "linux-lts"}
    esp = BY_KEY["disk.esp_mount"].choices(ARCH | {"target": "image"})
    assert [choice.title for choice in esp] == ["/boot", "/boot/efi"]
    assert questions.problems(ARCH) == {}
    assert questions.to_recipe(ARCH).source.suite == ""


def test_arch_requires_a_mirror_and_links_to_the_list() -> None:
    (said,) = questions.problems({"source.distro": "arch"}).items()
    assert said[0] == "source.mirror"
    assert "archlinux.org/mirrors" in said[1]


OF_DEBIAN = {
    "source.suite": "trixie",
    "source.bootstrap": "mmdebstrap",
    "kernel.package": "linux-image-amd64",
}


def test_answers_of_another_distribution_give_way_and_come_back() -> None:
    made = questions.to_recipe(OF_DEBIAN | ARCH)
    assert (made.source.suite, made.source.bootstrap) == ("", "auto")
    assert made.kernel.package == ""
    back = questions.to_recipe(OF_DEBIAN | ARCH | {"source.distro": "debian"})
    assert (back.source.suite, back.kernel.package) == ("trixie", "linux-image-amd64")


def test_an_opened_recipe_can_become_one_of_another_distribution_and_back() -> None:
    debian = questions.from_recipe(questions.to_recipe(OF_DEBIAN))
    arch = questions.to_recipe(debian | ARCH)
    assert arch == replace(questions.to_recipe(ARCH), name="debian-vm")
    with_keys = replace(arch, source=replace(arch.source, keys=("A" * 40,)))
    back = questions.to_recipe(questions.from_recipe(with_keys) | {"source.distro": "debian"})
    assert (back.source.suite, back.source.keys) == ("bookworm", ())


def test_a_container_is_asked_for_its_entrypoint_and_not_for_services() -> None:
    given = {"target": "container", "container.entrypoint": "/usr/sbin/nginx"}
    assert [page.name for page in questions.pages(given)] == [
        "target", "source", "container", "system", "output",
    ]  # fmt: skip
    assert questions.problems(given) == {}
    assert "system.services" not in [question.key for question in questions.asked(given)]
    assert questions.to_recipe(given).source.variant == "minimal"
    program = given | {"source.kind": "binary", "source.location": "dist/my web.v2"}
    assert "system" not in [page.name for page in questions.pages(program)]
    assert questions.to_recipe(program).name == "myweb"


def test_settings_are_a_line_each_and_a_secret_only_a_name() -> None:
    given = {
        "target": "container",
        "source.kind": "binary",
        "source.location": "web",
        "container.args": "-c\n daemon off; \n",
        "container.env": "A=b = c\n\n B=\nC",
    }
    made = questions.to_recipe(given)
    assert made.container.args == ("-c", "daemon off;")
    assert made.container.env == {"A": "b = c", "B": "", "C": ""}
    assert questions.from_recipe(made)["container.env"] == "A=b = c\nB=\nC="
    wrong = questions.problems(given | {"container.env": "DB_PASSWORD=canary"})
    assert "DB_PASSWORD without its value" in wrong["container.env"]


def test_a_disk_image_has_pages_of_its_own_and_a_cloud_image_has_not() -> None:
    def pages(**given: str) -> list[str]:
        return [page.name for page in questions.pages(given)]

    image = {"target": "image"}
    assert pages() == ["target", "source", "kernel", "system", "output"]
    assert pages(**image) == ["target", "source", "kernel", "disk", "grub", "system", "output"]
    assert pages(**image, **{"source.kind": "cloud-image"}) == ["target", "source", "output"]


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({"disk.esp_size": "20MiB"}, "disk.esp_size", "34MiB or more"),
        ({"disk.esp_mount": "/boot", "disk.esp_size": "90M"}, "disk.esp_size", "100MiB or more"),
        ({"disk.size": "300MiB"}, "disk.size", "at least 256MiB more than the ESP"),
        ({"disk.size": "9GiB"}, "disk.size", "at most the rented disk"),
        ({"disk.label": "a label that is too long"}, "disk.label", "1 to 16"),
        ({"grub.timeout": "soon"}, "grub.timeout", "a whole number"),
        ({"source.kind": "cloud-image"}, "source.location", "Required"),
        (
            {"target": "container", "source.kind": "cloud-image"},
            "source.kind",
            "becomes a VM or a disk image",
        ),
    ],
)
def test_impossible_values_are_reported_beside_the_answer(
    given: dict[str, str], key: str, said: str
) -> None:
    assert said in questions.problems({"target": "image", **given})[key]


@pytest.mark.parametrize(
    ("opened", "answers"),
    [
        ({"target": "image", "disk": {"size": "4GiB"}, "grub": {"timeout": 3}}, {"target": "vm"}),
        (
            {"target": "image", "source": {"kind": "cloud-image", "location": "x.img"}},
            {"source.kind": "distro"},
        ),
        (
            {"kernel": {"package": "linux-image-amd64"}, "system": {"timezone": "Europe/Paris"}},
            {"target": "image", "source.kind": "cloud-image", "source.location": "x.img"},
        ),
    ],
)
def test_an_opened_recipe_can_become_another_kind(
    opened: dict[str, Any], answers: dict[str, str]
) -> None:
    given = questions.from_recipe(Recipe.from_dict(opened)) | answers
    assert questions.problems(given) == {}
    made = questions.to_recipe(given)
    assert made == Recipe.from_toml(made.to_toml())


def test_answers_about_a_disk_become_its_recipe() -> None:
    given = {
        "target": "image",
        "disk.size": "3GiB",
        "grub.timeout": "2",
        "source.distro": "ubuntu",
    }
    recipe = questions.to_recipe(given)
    assert (recipe.disk.size, recipe.grub.timeout) == ("3GiB", 2)
    assert (recipe.name, recipe.source.suite) == ("ubuntu-image", "jammy")


def test_minimal_cannot_be_chosen_with_debootstrap() -> None:
    given = {"source.bootstrap": "debootstrap", "source.variant": "minimal"}
    assert "minimal needs mmdebstrap" in questions.problems(given)["source.variant"]


def test_the_kernel_package_of_a_recipe_stays_among_the_choices() -> None:
    recipe = Recipe(kernel=Kernel(package="linux-image-rt-amd64"))
    given = questions.from_recipe(recipe)
    values = [choice.value for choice in BY_KEY["kernel.package"].choices(given)]
    assert values == ["", "linux-image-amd64", "linux-image-rt-amd64"]
    assert questions.problems(given) == {}


def test_an_unknown_key_of_an_opened_recipe_is_an_error() -> None:
    with pytest.raises(RecipeError, match="there is no such key"):
        questions.to_recipe({BASE: "colour = 3\n"})


def keys(**given: str) -> set[str]:
    answers = {key.replace("_", ".", 1): value for key, value in given.items()}
    return {question.key for question in questions.asked(answers)}


def test_an_imported_system_gets_the_questions_about_changes_to_it() -> None:
    here = keys(source_kind="rootfs", source_location="/x.tar")
    assert {"source.location", "source.packages", "kernel.modules", "system.run"} <= here
    assert not {"source.suite", "source.mirror", "source.distro", "kernel.package"} & here
    contained = keys(target="container", source_kind="rootfs", source_location="/x")
    assert not {"kernel.modules", "system.services"} & contained


@pytest.mark.parametrize(
    ("kind", "location", "distro"),
    [
        ("rootfs", "https://images.example/ubuntu-base.tar.gz", "ubuntu"),
        ("cloud-image", "/images/noble-server-cloudimg-amd64.img", "ubuntu"),
        ("cloud-image", "Arch-Linux-x86_64-cloudimg.qcow2", "arch"),
        ("cloud-image", "x/debian-12-genericcloud-amd64.qcow2", "debian"),
        ("cloud-image", "whatever.qcow2", "debian"),
    ],
)
def test_the_distribution_is_asked_for_where_the_file_cannot_be_read(
    kind: str, location: str, distro: str
) -> None:
    given = {"source.kind": kind, "source.location": location}
    question = next(q for q in questions.asked(given) if q.key == "source.distro")
    assert question.answer(given) == distro
    assert [choice.value for choice in question.choices(given)][-1] == "other"
    assert questions.to_recipe(given).source.distro == distro


def test_a_cloud_image_that_stays_a_disk_is_not_asked_about() -> None:
    assert "source.distro" not in keys(target="image", source_kind="cloud-image")
