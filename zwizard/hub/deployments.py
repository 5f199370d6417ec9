"""How to deploy an archive: what its build, its contents and its upload say of it."""

from pathlib import Path

from zwizard.checks import Mode
from zwizard.checks.mode_detection import intended
from zwizard.engine import builds, status
from zwizard.hub.records import last_upload_of
from zwizard.image import open_tree
from zwizard.plan import deployment_note
from zwizard.plan.deployment_note import Deployment
from zwizard.util.hashing import sha256_of


def deployment_of(archive: Path, kind: Mode | None = None) -> Deployment:
    """The deployment of the file ``archive``; ``kind`` where no build tells it.

    An archive that no build made is read; raises UnreadableError if it is no image.
    """
    build = builds.making(archive)
    recipe = builds.recipe_of(build) if build else None
    if build and recipe:
        state = status.of(build)
        sha256 = state.sha256 if state.state in status.CHECKED else ""
        kind = Mode(recipe.target)
    else:
        with open_tree(archive) as tree:
            kind = kind or intended(tree)
        sha256 = sha256_of(archive) if archive.is_file() else ""
    name, upload = archive.name.removesuffix(".tar.gz"), last_upload_of(sha256)
    if upload is None:
        return deployment_note.describe(name, kind, recipe)
    return deployment_note.describe(
        name, kind, recipe, flist=upload.url, checksum=upload.md5, unpacked=upload.unpacked
    )
