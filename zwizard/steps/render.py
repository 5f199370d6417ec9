"""A plan as text to read, as data, and as a bash script that runs on its own."""

import shlex
import sys
from textwrap import indent

from zwizard.steps import programs
from zwizard.steps.actions import Action
from zwizard.steps.actions.action import here_document
from zwizard.steps.step import IMAGE, Plan, Step


def functions(*actions: Action) -> str:
    """All that the shell lines of ``actions`` call: bash functions and programs of zwizard's.

    Programs that import nothing of zwizard's are carried along; for others it must be installed.
    """
    shared = programs.functions(*actions)
    lines = "\n".join((shared, *(action.shell() for action in actions)))
    modules = dict.fromkeys(name for action in actions for name in action.modules)
    called = [name for name in modules if f"treetool {name}" in lines]
    carried = [name for name in called if programs.stands_alone(name)]
    parts = [shared.rstrip()]
    if called:
        parts.append(_PYTHON.format(python=shlex.quote(sys.executable)))
    if carried != called:
        parts.append(_INSTALLED)
    for name in called:
        code = f'"{_RUN.format(name=name)}"'
        if name in carried:
            code = f"$(\n\tcat {here_document(programs.source(name))}\n)"
        parts.append(f"TREETOOLS[{name}]={code}")
    return "\n\n".join(parts)


def script(plan: Plan) -> str:
    """The script: run as root, it leads to the same tree and archive as the engine."""
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in plan.environment)
    actions = [action for step in plan.steps for action in step.actions]
    head = _HEAD.format(
        name=plan.name,
        exports=exports,
        functions=functions(*actions),
        note=_NOTE,
    )
    steps = "\n\n".join(
        _step(number, step, plan.network(step)) for number, step in enumerate(plan.steps, 1)
    )
    note = f"printf %s {shlex.quote(plan.note)} >{_NOTE}"
    return f'{head}\n{steps}\n\n{note}\necho "made $OUT"\n'


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
                    {**action.canonical(), "shell": action.shell()} for action in step.actions
                ],
            }
            for step, fingerprint in zip(plan.steps, plan.fingerprints(), strict=True)
        ],
    }


def _step(number: int, step: Step, network: str) -> str:
    why = "\n".join(f"# {line}" for line in step.why)
    lines = "\n".join(action.shell() for action in step.actions)
    sandboxed = any(programs.SANDBOX in action.scripts for action in step.actions)
    body = f"NETWORK={network}\n{lines}" if sandboxed else lines
    if step.leaves == "image":
        body += f'\nrm -rf --one-file-system "$ROOT"\nmkdir "$ROOT"\nmv "$OUT" "$ROOT"/{IMAGE}'
    return f"echo {shlex.quote(f'{number}. {step.title}')}\n{why}\n{body}"


_NOTE = '"${OUT%.tar.gz}.deploy.md"'

_PYTHON = """\
# zwizard's own programs run by the Python that exported this script, if it is here.
PYTHON=${{PYTHON:-{python}}}
[ -x "$PYTHON" ] || PYTHON=$(command -v python3) || {{ echo "python3 is missing" >&2; exit 2; }}
declare -A TREETOOLS
treetool() {{ # NAME ARGUMENT...
	"$PYTHON" -I -c "${{TREETOOLS[$1]}}" "${{@:2}}"
}}"""

_RUN = "import runpy; runpy.run_module('zwizard.treetools.{name}', run_name='__main__')"

_INSTALLED = """\
"$PYTHON" -I -c 'import zwizard.treetools' || {
	echo "zwizard is not installed for $PYTHON: install it, or set PYTHON" >&2
	exit 2
}"""

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
	for name in DOWNLOADS PYTHON {{http,https,ftp,no}}_proxy {{HTTP,HTTPS,FTP,NO}}_PROXY; do
		[ -z "${{!name:-}}" ] || keep+=("$name=${{!name}}")
	done
	exec env --ignore-environment "${{keep[@]}}" \\
		unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi

ROOT=${{1:-{name}}}
OUT=${{2:-{name}.tar.gz}}
for made in "$ROOT" "$OUT" {note}; do # nothing is replaced, no link followed
	if [ -e "$made" ] || [ -L "$made" ]; then
		echo "$made exists already; name another" >&2
		exit 2
	fi
done
ROOT=$(realpath -m "$ROOT")
OUT=$(realpath -m "$OUT")
mkdir -p "$ROOT"
DOWNLOADS=${{DOWNLOADS:-$PWD}}
{exports}

{functions}
"""
