"""What a step can do: one class an action, each with its shell line, its tools and its code."""

from zwizard.steps.actions.action import DOWNLOADS, OUT, ROOT, Action, Workplace
from zwizard.steps.actions.commands import Host, InTree, LinesInTree, OnTree, ShInTree
from zwizard.steps.actions.disk import Layout, MakeDisk
from zwizard.steps.actions.files import Append, Directory, Link, Remove, Write
from zwizard.steps.actions.imports import Convert, Import, ImportDisk, InstallBinary, UnpackOci
from zwizard.steps.actions.kernels import InstallKernel, LinkKernels
from zwizard.steps.actions.keyrings import TrustKeys, TrustPackagers
from zwizard.steps.actions.pack import Pack

__all__ = [
    "DOWNLOADS",
    "OUT",
    "ROOT",
    "Action",
    "Append",
    "Convert",
    "Directory",
    "Host",
    "Import",
    "ImportDisk",
    "InTree",
    "InstallBinary",
    "InstallKernel",
    "Layout",
    "LinesInTree",
    "Link",
    "LinkKernels",
    "MakeDisk",
    "OnTree",
    "Pack",
    "Remove",
    "ShInTree",
    "TrustKeys",
    "TrustPackagers",
    "UnpackOci",
    "Workplace",
    "Write",
]
