"""Programs in small trees: whether the kernel, the loader and env start them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.support.executables import dynamic, program
from zwizard.image.executables.start_script import render_start_script

LOADER = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
LIBS = "lib/x86_64-linux-gnu"
SYSTEM = b"".join(
    name + b"/\x00"
    for name in (b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib", b"/usr/lib")
)


@dataclass(frozen=True)
class Node:
    """A file (``data``), a link (``target``) or a directory (neither) of a tree."""

    data: bytes | None = None
    mode: int = 0o755
    target: str = ""
    uid: int = 0


Files = dict[str, Node]


def file(data: bytes | str, mode: int = 0o755) -> Node:
    return Node(data.encode() if isinstance(data, str) else data, mode)


def link(target: str) -> Node:
    return Node(target=target)


@dataclass(frozen=True)
class Row:
    """A program in a tree.

    ``starts`` is what really happens, ``evidence`` a part of what the checklist has to name.
    ``base`` is what else is in the tree, by its name in BASES.
    """

    name: str
    files: Files
    starts: bool
    evidence: str = ""
    base: str = "busybox"
    path: str = "/entry"
    uid: int = 0


# What stands in for real programs, where nothing is started. The real ones have these places in
# tests/truth/test_programs.py.
BASES: dict[str, Files] = {
    "nothing": {},
    "busybox": {
        "bin/busybox": file(program() + b"BusyBox v1.35.0"),
        "bin/sh": link("busybox"),
        "usr/bin/env": link("../../bin/busybox"),
    },
    "coreutils": {
        "bin/sh": file(program()),
        "usr/bin/env": file(dynamic("libc.so.6", interpreter=LOADER)),
        LOADER[1:]: file(dynamic(name="ld-linux-x86-64.so.2") + SYSTEM),
        f"{LIBS}/libc.so.6": file(dynamic(name="libc.so.6", provides=("libc.so.6", "GLIBC_2.34"))),
    },
    "musl": {MUSL[1:]: file(dynamic(name="libc.so"))},
}


def script(line: str) -> Files:
    return {"entry": file(f"{line}\nexit 0\n")}


def needs(*libraries: str, rpath: str = "", runpath: str = "", version: str = "") -> Node:
    """A program that needs libraries, and a version of the first of them."""
    return file(
        dynamic(
            *libraries, interpreter=LOADER, rpath=rpath, runpath=runpath,
            requires=((libraries[0], version),) if version else (),
        )
    )  # fmt: skip


def library(name: str, *libraries: str, runpath: str = "", version: str = "") -> Node:
    provides = (name, version) if version else ()
    return file(dynamic(*libraries, name=name, runpath=runpath, provides=provides), 0o644)


def cache(**paths: str) -> Node:
    """/etc/ld.so.cache as ldconfig writes it: ``libx_so="/opt/libx.so"``."""
    names = [(name.replace("_", "."), path) for name, path in paths.items()]
    table, strings, at = b"", b"", 48 + 24 * len(names)
    for name, path in names:
        table += struct.pack("<iIIIQ", 0x303, at + len(strings), at + len(strings) + len(name) + 1,
                             0, 0)  # fmt: skip
        strings += f"{name}\0{path}\0".encode()
    head = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(names), len(strings), 2, 0)
    return file(head + table + strings, 0o644)


def chain(count: int) -> Files:
    """``count`` scripts, each the interpreter of the one before; the last is for the shell."""
    names = ["entry", *(f"s{number}" for number in range(1, count))]
    return {
        name: file(f"#!{following}\nexit 0\n")
        for name, following in zip(names, [*(f"/{n}" for n in names[1:]), "/bin/sh"], strict=True)
    }


SCRIPTS = [
    Row("a script", script("#!/bin/sh"), True),
    Row("spaces before the interpreter", script("#! \t/bin/sh -e "), True),
    Row("no newline at all", {"entry": file("#!/bin/sh")}, True),
    Row("lines that end with CR LF", script("#!/bin/sh\r"), False, "/bin/sh\\r"),
    Row("CR LF behind an option", script("#!/bin/sh -e\r"), False, "CR LF"),
    Row("CR LF for env", script("#!/usr/bin/env sh\r"), False, "CR LF"),
    Row("no interpreter", script("#!/bin/bash"), False, "/entry needs /bin/bash does not exist"),
    Row("an empty first line", script("#!"), False, "a script, not a program"),
    Row("an interpreter behind a link that leads nowhere",
        script("#!/bin/bash") | {"bin/bash": link("/usr/bin/bash")}, False, "/usr/bin/bash"),
    Row("an interpreter that is not executable",
        script("#!/bin/own") | {"bin/own": file(program(), 0o644)}, False, "mode 644"),
    Row("an interpreter that is a directory", script("#!/bin"), False, "/bin is a directory"),
    Row("an interpreter that is text",
        script("#!/bin/own") | {"bin/own": file("hello\n")}, False, "/bin/own is a text file"),
    Row("five scripts", chain(5), True),
    Row("six scripts", chain(6), False, "too many scripts"),
    Row("a byte order mark", script("\ufeff#!/bin/sh"), False, "byte order mark"),
    Row("text", {"entry": file("exit 0\n")}, False, "a text file"),
    Row("an empty file", {"entry": file("")}, False, "/entry is empty"),
    Row("nothing", {}, False, "/entry does not exist"),
    Row("a directory", {"entry": Node()}, False, "is a directory"),
    Row("not executable", {"entry": file("#!/bin/sh\n", 0o644)}, False, "mode 644"),
    Row("executable for another only", {"entry": file("#!/bin/sh\n", 0o001)}, True),
    Row("a line that is cut in the path", script("#!" + "/bin/../" * 40 + "bin/sh"), False,
        "not a program"),
    Row("a line that is cut in an argument", script("#!/bin/sh " + " " * 300), True),
    Row("a program for ARM", {"entry": file(program(machine=183))}, False, "ARM64"),
    Row("a start script's program", {
        "entry": file("#!/bin/sh\n"),
        "zos-start": file(render_start_script(("entry",), (), (("PATH", "/"),), "/", "")),
    }, True, path="/zos-start"),
]  # fmt: skip

ENVS = [
    Row("busybox's env", script("#!/usr/bin/env sh"), True),
    Row("busybox's env, no bash", script("#!/usr/bin/env bash"), False, "needs bash by env"),
    Row("busybox's env -S", script("#!/usr/bin/env -S sh"), False, "env -S"),
    Row("busybox's env as a copy", script("#!/usr/bin/env -S sh -e")
        | {"usr/bin/env": BASES["busybox"]["bin/busybox"]}, False, "env -S"),
    Row("env", script("#!/usr/bin/env sh"), True, base="coreutils"),
    Row("env, no bash", script("#!/usr/bin/env bash"), False, "bash by env", base="coreutils"),
    Row("env with two words", script("#!/usr/bin/env sh -e"), False, "without -S",
        base="coreutils"),
    Row("env -S", script("#!/usr/bin/env -S sh -e"), True, base="coreutils"),
    Row("env -S with a variable", script("#!/usr/bin/env -S A=1 -u B sh -e"), False,
        "", base="coreutils"),
    Row("env -S with options and a variable", script("#!/usr/bin/env -S -u B A=1 sh -e"), True,
        base="coreutils"),
    Row("env -S with a PATH", script("#!/usr/bin/env -S PATH=/opt sh"), False, "sh by env",
        base="coreutils"),
    Row("env with an option in the same word", script("#!/usr/bin/env -i sh"), False,
        "without the name", base="coreutils"),
    Row("env without its library", script("#!/usr/bin/env sh") | {f"{LIBS}/libc.so.6": file("")},
        False, "libc.so.6", base="coreutils"),
    Row("env that starts a script",
        script("#!/usr/bin/env own") | {"bin/own": file("#!/bin/no\n")}, False,
        "/bin/own needs /bin/no", base="coreutils"),
]  # fmt: skip


def glibc(name: str, entry: Node, starts: bool, evidence: str = "", **others: Node) -> Row:
    """A dynamic program /opt/app; others by path: ``__`` is ``/``, ``_`` is ``.``"""
    paths = {
        key.replace("__", "/").replace("LIBS", LIBS).replace("_", "."): node
        for key, node in others.items()
    }
    return Row(name, {"opt/app": entry} | paths, starts, evidence, "coreutils", "/opt/app")


X = library("libx.so")
DYNAMIC = [
    Row("no loader", {"entry": needs("libc.so.6")}, False, f"/entry needs {LOADER}"),
    Row("a loader behind a link that leads nowhere",
        {"entry": needs("libc.so.6"), "lib64": link("usr/lib64")}, False, LOADER),
    Row("a loader that is not executable",
        {"entry": needs("libc.so.6"), LOADER[1:]: file(dynamic(), 0o644)}, False, "mode 644"),
    Row("a loader for another processor",
        {"entry": needs("libc.so.6"), LOADER[1:]: file(dynamic(machine=183))}, False, "ARM64"),
    glibc("all there", needs("libc.so.6"), True),
    glibc("no library", needs("libx.so"), False, "/opt/app needs libx.so, which is not"),
    glibc("in a directory of the loader's", needs("libx.so"), True, usr__lib__libx_so=X),
    glibc("in a directory that is not the loader's", needs("libx.so"), False, "libx.so",
          lib64__libx_so=X),
    glibc("beside the program", needs("libx.so"), False, "libx.so", opt__libx_so=X),
    glibc("by RUNPATH", needs("libx.so", runpath="/no:$ORIGIN"), True, opt__libx_so=X),
    glibc("by RUNPATH with braces", needs("libx.so", runpath="${ORIGIN}/../opt"), True,
          opt__libx_so=X),
    glibc("by RPATH", needs("libx.so", rpath="/opt"), True, opt__libx_so=X),
    glibc("RPATH counts for libraries' libraries", needs("liby.so", rpath="/opt"), True,
          opt__liby_so=library("liby.so", "libx.so"), opt__libx_so=X),
    glibc("RUNPATH does not", needs("liby.so", runpath="/opt"), False,
          "/opt/liby.so needs libx.so", opt__libx_so=X,
          opt__liby_so=library("liby.so", "libx.so")),
    glibc("the library's own RUNPATH", needs("liby.so", runpath="/opt"), True,
          opt__liby_so=library("liby.so", "libx.so", runpath="$ORIGIN"), opt__libx_so=X),
    glibc("a library's RUNPATH ends its program's RPATH", needs("liby.so", rpath="/opt"), False,
          "libx.so", opt__liby_so=library("liby.so", "libx.so", runpath="/no"), opt__libx_so=X),
    glibc("loaded already under its name", needs("libx.so", "liby.so", runpath="/opt"), True,
          opt__liby_so=library("liby.so", "libx.so"), opt__libx_so=X),
    glibc("by the cache", needs("libx.so"), True, opt__libx_so=X,
          etc__ld_so_cache=cache(libx_so="/opt/libx.so")),
    glibc("listed but not in the cache", needs("libx.so"), False, "libx.so", opt__libx_so=X,
          etc__ld_so_conf=file("/opt\n", 0o644)),
    glibc("in a stale cache and in a directory", needs("libx.so"), True, usr__lib__libx_so=X,
          etc__ld_so_cache=cache(libx_so="/gone/libx.so")),
    glibc("a broken cache", needs("libx.so"), True, usr__lib__libx_so=X,
          etc__ld_so_cache=file("glibc-ld.so.cache1.1", 0o644)),
    glibc("a link to nothing", needs("libx.so"), False, "libx.so", usr__lib__libx_so=link("no")),
    glibc("a link within the image", needs("libx.so"), True,
          usr__lib__libx_so=link("/opt/libx.so"), opt__libx_so=X),
    glibc("an empty library", needs("libx.so"), False, "not an ELF", usr__lib__libx_so=file("")),
    glibc("a library that is text", needs("libx.so"), False, "not an ELF",
          usr__lib__libx_so=file("INPUT(libx.so.1)\n")),
    glibc("a truncated library", needs("libx.so"), False, "truncated",
          usr__lib__libx_so=file(dynamic(name="libx.so")[:100])),
    glibc("one for another processor is passed over", needs("libx.so"), True,
          lib__libx_so=file(dynamic(name="libx.so", machine=183)), usr__lib__libx_so=X),
    glibc("one for another processor only", needs("libx.so"), False, "is ELF64, ARM64",
          lib__libx_so=file(dynamic(name="libx.so", machine=183))),
    glibc("a library that nobody but root reads", needs("libx.so"), True,
          usr__lib__libx_so=file(X.data or b"", 0)),
    glibc("by a path", needs("/opt/libx.so"), True, opt__libx_so=X),
    glibc("by a path that is not there", needs("/opt/libx.so"), False, "/opt/libx.so"),
    glibc("a version", needs("libx.so", runpath="/opt", version="X_1"), True,
          opt__libx_so=library("libx.so", version="X_1")),
    glibc("another version", needs("libx.so", runpath="/opt", version="X_2"), False, "X_2",
          opt__libx_so=library("libx.so", version="X_1")),
    glibc("a version, where none are", needs("libx.so", runpath="/opt", version="X_2"), True,
          opt__libx_so=X),
    glibc("a newer libc", needs("libc.so.6", version="GLIBC_2.99"), False, "GLIBC_2.99"),
    glibc("this libc", needs("libc.so.6", version="GLIBC_2.34"), True),
    glibc("a preloaded library that is not there", needs("libc.so.6"), True,
          etc__ld_so_preload=file("/gone.so\n", 0o644)),
]  # fmt: skip


def musl(*libraries: str, runpath: str = "") -> Node:
    return file(dynamic(*libraries, interpreter=MUSL, runpath=runpath))


def on_musl(name: str, entry: Node, starts: bool, evidence: str = "", **others: Node) -> Row:
    row = glibc(name, entry, starts, evidence, **others)
    return Row(f"musl, {name}", row.files, starts, evidence, "musl", "/opt/app")


ON_MUSL = [
    on_musl("its own names", musl("libc.musl-x86_64.so.1", "libpthread.so.0"), True),
    on_musl("no library", musl("libx.so"), False, "/opt/app needs libx.so"),
    on_musl("in /usr/local/lib", musl("libx.so"), True, usr__local__lib__libx_so=X),
    on_musl("in Debian's directory", musl("libx.so"), False, "libx.so", LIBS__libx_so=X),
    on_musl(
        "RUNPATH counts for libraries' libraries",
        musl("liby.so", runpath="$ORIGIN"),
        True,
        opt__liby_so=library("liby.so", "libx.so"),
        opt__libx_so=X,
    ),
]
ON_MUSL += [
    Row("musl, a list of directories", {
        "opt/app": musl("libx.so"), "opt/libx.so": X,
        "etc/ld-musl-x86_64.path": file("/no\n/opt\n", 0o644),
    }, True, base="musl", path="/opt/app"),
    Row("musl, a list without the usual ones", {
        "opt/app": musl("libx.so"), "lib/libx.so": X,
        "etc/ld-musl-x86_64.path": file("/opt", 0o644),
    }, False, "libx.so", base="musl", path="/opt/app"),
]  # fmt: skip

# As a service user: each directory on the way needs a search bit.
USERS = [
    Row("a service's program", {"opt/app": file(dynamic())}, True, path="/opt/app", uid=999),
    Row("behind a directory of root's", {"opt": Node(mode=0o700), "opt/app": file(dynamic())},
        False, "/opt cannot be searched", path="/opt/app", uid=999),
    Row("in a root that is closed", {"": Node(mode=0o700), "opt/app": file(dynamic())},
        False, "/ cannot be searched", path="/opt/app", uid=999),
    Row("a file of root's", {"opt/app": file(dynamic(), 0o700)}, False, "not executable",
        path="/opt/app", uid=999),
    Row("a directory of its own", {"opt": Node(mode=0o700, uid=999), "opt/app": file(dynamic())},
        True, path="/opt/app", uid=999),
    Row("a library of root's", glibc("", needs("libx.so"), False).files
        | {"usr/lib/libx.so": file(X.data or b"", 0o600)}, False, "not readable",
        base="coreutils", path="/opt/app", uid=999),
]  # fmt: skip

ROWS = [*SCRIPTS, *ENVS, *DYNAMIC, *ON_MUSL, *USERS]
