#!/usr/bin/env python3
"""The values table of the chart's README, written from the comments in values.yaml.

    reference.py           prints the table
    reference.py --write   puts it into README.md

Reads the subset of YAML that values.yaml is written in: one value a line, nested by two spaces,
with its documentation in the comment lines directly above it.
"""
import re
import sys
from pathlib import Path

CHART = Path(__file__).resolve().parent.parent / "roadstead"
BEGIN, END = "<!-- values: written by charts/tests/reference.py -->\n", "<!-- end of values -->\n"
VALUE = re.compile(r"^(?P<indent>(  )*)(?P<name>[A-Za-z]+):(?: (?P<default>.+))?$")


def values():
    """Yields (path, default, documentation) of each value, in the order of values.yaml."""
    path, comment = [], []
    for number, line in enumerate((CHART / "values.yaml").read_text().splitlines(), 1):
        if line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
            continue
        if not line.strip():
            comment = []
            continue
        value = VALUE.match(line)
        if not value:
            raise SystemExit(f"values.yaml:{number}: not in the form that reference.py reads: {line}")
        path[len(value["indent"]) // 2:] = [value["name"]]
        if value["default"] is not None:
            yield ".".join(path), value["default"], " ".join(comment)
        comment = []


def table():
    """The table in Markdown."""
    rows = [f"| `{path}` | `{default}` | {text} |" for path, default, text in values()]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows]) + "\n"


def readme():
    """README.md with its table replaced by the current one."""
    before, rest = (CHART / "README.md").read_text().split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        (CHART / "README.md").write_text(readme())
    else:
        print(table(), end="")
