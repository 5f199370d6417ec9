"""What cloud-init makes of its configuration files.

Measured with cloud-init 22.4.2 (Debian 12): `util.read_conf_with_confd` in a chroot;
tests/real/test_truth.py measures it again.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.faults import Fault, both, write

MAIN = "etc/cloud/cloud.cfg"


@dataclass(frozen=True, slots=True)
class Merged:
    """Files of cloud-init's: cloud.cfg, and in cloud.cfg.d ``first`` and ``later``.

    ``value`` is what its reader has under ``key`` in the end, None for nothing.
    """

    name: str
    main: str
    key: str
    value: object
    first: str = ""
    later: str = ""

    def write(self) -> Fault:
        """The files."""
        parts = {"10-first": self.first, "99-later": self.later}
        return both(
            write(MAIN, self.main.encode()),
            *(
                write(f"{MAIN}.d/{name}.cfg", text.encode())
                for name, text in parts.items()
                if text
            ),
        )


MERGED = (
    Merged("alone", "a: 1", "a", 1),
    Merged("later-file-wins", "a: 1", "a", 3, first="a: 2", later="a: 3"),
    Merged("mappings-merge", "a: {x: 1, y: 1}", "a", {"x": 2, "y": 1, "z": 3},
           first="a: {x: 2}", later="a: {z: 3}"),
    Merged("lists-do-not", "a: [1, 2]", "a", [3], later="a: [3]"),
    Merged("text-over-mapping", "a: {x: 1}", "a", {"x": 1}, later="a: 'off'"),
    Merged("mapping-over-text", "a: 'off'", "a", {"x": 1}, later="a: {x: 1}"),
    Merged("null-wins", "a: 1", "a", None, later="a:"),
    Merged("mapping-under-later-text", "a: 1", "a", {"x": 1}, first="a: {x: 1}", later="a: text"),
    Merged("mapping-under-later-list", "a: 1", "a", {"x": 1}, first="a: {x: 1}", later="a: [1]"),
    Merged("mapping-under-later-number", "a: 1", "a", 7, first="a: {x: 1}", later="a: 7"),
    Merged("tab", "a: 1\nb:\n\tc: d", "a", None),
    Merged("tab-between", "a:\t1", "a", None),
    Merged("tab-in-text", 'a: "x\ty"', "a", "x\ty"),
    Merged("broken-later", "a: 1", "a", 1, later="a: [2"),
    Merged("list-at-the-top", "a: 1", "a", 1, later="- a\n- b"),
    Merged("text-at-the-top", "a: 1", "a", 1, later="nonsense"),
    Merged("empty", "a: 1", "a", 1, later="# nothing\n"),
    Merged("two-documents", "a: 1", "a", 1, later="a: 2\n---\na: 3"),
    Merged("flow-style", "{a: {b: [c, 'd']}}", "a", {"b": ["c", "d"]}),
    Merged("aliases", "x: &x {b: 1}\na: *x", "a", {"b": 1}),
    Merged("merge-key", "x: &x {b: 1, c: 1}\na: {<<: *x, c: 2}", "a", {"b": 1, "c": 2}),
    Merged("key-twice", "a: 1\na: 2", "a", 2),
    Merged("quoted-key", '"a": {\'b\': yes}', "a", {"b": True}),
    Merged("unknown-tag", "a: 1", "a", 1, later="a: !foo 2"),
    Merged("impossible-date", "a: 1", "a", 1, later="a: 2001-99-99"),
    Merged("windows-lines", "a: 1\r\nb: 2\r\n", "a", 1),
    Merged("jinja", "## template: jinja\na: 1", "a", 1),
    Merged("jinja-unrendered", "a: 1", "a", 1, later="## template: jinja\n{% if x %}\na: 2\n{% endif %}"),  # noqa: E501
    Merged("ways-of-the-last-file-are-its-own", "a: [1]", "a", [2],
           first="merge_how: 'list(append)+dict(recurse_list)+str()'\na: [2]"),
    Merged("append-main", "merge_how: 'list(append)+dict(recurse_list)+str()'\na: [1]", "a",
           [2, 1], first="a: [2]"),
    Merged("prepend-main", "merge_how: 'list(prepend)+dict(recurse_list)+str()'\na: [1]", "a",
           [1, 2], first="a: [2]"),
    Merged("replace-main", "merge_how: 'dict(replace)+list()+str()'\na: 1", "a", 1, first="a: 2"),
    Merged("ways-as-list", "merge_how:\n- {name: list, settings: [append]}\n- {name: dict,"
           " settings: [no_replace, recurse_list]}\na: [1]", "a", [2, 1], first="a: [2]"),
    Merged("delete-main", "merge_how: 'dict(allow_delete)+list()+str()'\na:", "a", None,
           first="a: 2"),
    Merged("append-text", "merge_how: 'dict(recurse_str)+list()+str(append)'\na: x", "a", "yx",
           first="a: y"),
    Merged("without-dict", "merge_how: 'list(append)'\nb: 1", "a", 2, first="a: 2"),
    Merged("other-directory", "conf_d: /etc/cloud/own\na: 1", "a", 1, first="a: 2"),
    Merged("no-directory", "conf_d: ''\na: 1", "a", 1, first="a: 2"),
)  # fmt: skip
