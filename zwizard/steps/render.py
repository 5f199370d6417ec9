"""A plan as text to read, as data, and as a bash script that runs on its own."""

from __future__ import annotations

import shlex
from importlib import resources
from textwrap import indent

from zwizard.steps.actions import Action, canonical
from zwizard.steps.actions import functions as called
from zwizard.steps.step import Plan, Step


def functions(*actions: Action) -> str:
    """The bash functions that these actions call, and the mounts for commands in the tree."""
    mounts = resources.files("zwizard.steps").joinpath("scripts/functions.sh").read_text("utf-8")
    return f"{mounts}\n{called(map(type, actions))}"


def script(plan: Plan) -> str:
    """The script: run as root, it leads to the same tree and archive as the engine."""
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in plan.environment)
    actions = [action for step in plan.steps for action in step.actions]
    head = _HEAD.format(name=plan.name, exports=exports, functions=functions(*actions).rstrip())
    steps = "\n\n".join(_step(number, step) for number, step in enumerate(plan.steps, 1))
    note = _note(plan.note) if plan.note else ""
    return f'{head}\n{steps}\n\n{note}echo "made $OUT"\n'


def text(plan: Plan) -> str:
    """The plan to be read: every step, why it is there, and its exact commands."""
    parts = [f"{plan.archive}: {len(plan.steps)} steps\n"]
    for number, step in enumerate(plan.steps, 1):
        why = "".join(f"    {line}\n" for line in step.why)
        commands = indent("\n".join(action.shell() for action in step.actions), "      ")
        parts.append(f"{number:2}. {step.name}: {step.title}\n{why}{commands}\n")
    return "\n".join(parts)


def data(plan: Plan) -> dict[str, object]:
    """The plan as plain data: steps with fingerprint, reasons, actions and shell lines."""
    return {
        "name": plan.name,
        "target": plan.target,
        "archive": plan.archive,
        "environment": dict(plan.environment),
        "steps": [
            {
                "name": step.name,
                "title": step.title,
                "why": list(step.why),
                "answers": list(step.answers),
                "fingerprint": fingerprint,
                "network": step.network,
                "bytes": step.size,
                "actions": [
                    {**canonical(action), "shell": action.shell()} for action in step.actions
                ],
            }
            for step, fingerprint in zip(plan.steps, plan.fingerprints(), strict=True)
        ],
    }


def _note(text: str) -> str:
    """Write the deployment note beside the archive."""
    return f'printf %s {shlex.quote(text)} >"${{OUT%.tar.gz}}.deploy.md"\n'


def _step(number: int, step: Step) -> str:
    why = "\n".join(f"# {line}" for line in step.why)
    lines = "\n".join(action.shell() for action in step.actions)
    enter = "enter_root network" if step.network else "enter_root"
    body = f"{enter}\n{lines}\nleave_root" if step.enters else lines
    return f"echo {shlex.quote(f'{number}. {step.title}')}\n{why}\n{body}"


_HEAD = """\
#!/bin/bash
# {name}: written by zwizard. Run it as root: bash THIS [TREE [ARCHIVE]]
set -euo pipefail
shopt -s dotglob nullglob
umask 022

# In namespaces of its own: whatever happens, the kernel unmounts and ends what was started.
if [ -z "${{ZWIZARD_INSIDE:-}}" ]; then
	[ "$(id -u)" -eq 0 ] || {{ echo "run this as root" >&2; exit 2; }}
	keep=(ZWIZARD_INSIDE=1 PATH="$PATH")
	for name in DOWNLOADS {{http,https,ftp,no}}_proxy {{HTTP,HTTPS,FTP,NO}}_PROXY; do
		[ -z "${{!name:-}}" ] || keep+=("$name=${{!name}}")
	done
	exec env --ignore-environment "${{keep[@]}}" \\
		unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi

ROOT=$(realpath -m "${{1:-{name}}}")
OUT=$(realpath -m "${{2:-{name}.tar.gz}}")
[ ! -e "$ROOT" ] || {{ echo "$ROOT exists already; name another tree" >&2; exit 2; }}
mkdir -p "$ROOT"
CHROOT=$(mktemp -d)
DOWNLOADS=${{DOWNLOADS:-$PWD}}
trap 'leave_root; rmdir "$CHROOT"' EXIT
{exports}

{functions}
"""
