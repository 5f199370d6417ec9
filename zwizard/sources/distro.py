"""A distribution, installed into an empty tree from its archive."""

from zwizard import distros
from zwizard.distros.base import Distro, Suite
from zwizard.families import family, guest
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.sources.base import SourceKind
from zwizard.steps.step import Step


def _records(recipe: Recipe) -> tuple[Distro, Suite]:
    distro = distros.KNOWN.get(recipe.source.distro)
    suite = distro.suite(recipe.source.suite) if distro else None
    if distro is None or suite is None:
        allowed = f"cannot be installed; these can: {', '.join(distros.KNOWN)}"
        raise RecipeError((Problem("source.distro", recipe.source.distro, allowed),))
    return distro, suite


def _bootstrap(recipe: Recipe) -> tuple[Step, ...]:
    distro, suite = _records(recipe)
    return (family.of(distro).bootstrap(recipe, distro, suite),)


def _machine(recipe: Recipe) -> tuple[Step, ...]:
    """The base, and what every VM on Zero-OS needs: kernel, cloud-init, SSH, a network."""
    distro, suite = _records(recipe)
    return (*_bootstrap(recipe), family.of(distro).packages(recipe, distro, suite))


SOURCE = SourceKind(
    title="A distribution",
    about=dict.fromkeys(
        ("container", "vm", "image"), "A new system, installed from the distribution's archive."
    ),
    tree={"container": _bootstrap, "vm": _machine, "image": _machine},
    kernel=lambda recipe: guest.kernel(family.of(_records(recipe)[0]).kernel()),
    settings=lambda recipe: guest.settings(recipe, _records(recipe)[0]),
    clean=lambda recipe: guest.clean(_records(recipe)[0], cloud_init=recipe.target != "container"),
    epoch=lambda recipe: _records(recipe)[1].epoch,
)
