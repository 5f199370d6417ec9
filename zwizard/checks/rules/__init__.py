"""The rules, a module for each subject. Every Rule in a module below this folder is a check."""

from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from zwizard.checks.rule import Rule

# The order in which subjects are shown; modules that are not listed come last.
SUBJECTS = (
    "archive", "boot_mode", "disk.partitions", "kernel", "kernel_upgrades", "initramfs",
    "cloud_init", "programs", "network", "ssh", "access", "secrets", "first_boot", "flist",
    "flist_limits", "disk.esp", "disk.loader", "disk.grub", "disk.mounts", "container",
)  # fmt: skip


@cache
def all_rules() -> tuple[Rule, ...]:
    """The whole checklist, in the order in which it is shown."""
    within = walk_packages(__path__, f"{__name__}.")
    found = {module.name.removeprefix(f"{__name__}.") for module in within if not module.ispkg}
    names = [name for name in SUBJECTS if name in found] + sorted(found.difference(SUBJECTS))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(
        rule for module in modules for rule in vars(module).values() if isinstance(rule, Rule)
    )
