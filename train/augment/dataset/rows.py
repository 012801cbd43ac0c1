"""Reads `qa.jsonl` back, and checks every line of it. Knows no clips' contents.

Fields are documented in docs/datasets.md. Unknown fields are kept; a line that lacks a known one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.contract.errors import ContentError
from runtime.contract.prompt import SLOTS
from train.augment.questions import ASKED_KINDS, slots_in

FIELDS: dict[str, type] = {
    "clip": str, "subjects": list, "present": list, "asked": list, "role": str, "kind": str, "question": str,
    "answer": str, "target": dict, "rewritten": bool,
}  # fmt: skip


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a dataset.

    Raises:
        ContentError: it cannot be read, or a line is not what docs/datasets.md says.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(f"{path} cannot be read: {error}.", "Make the dataset again.") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            wrong = problem(row) if isinstance(row, dict) else "is no object"
        except ValueError as error:
            wrong = f"is no JSON: {error}"
        if wrong:
            raise ContentError(f"{path}: line {number} {wrong}.", "Make the dataset again.")
        yield row


def problem(row: dict[str, Any]) -> str:
    """What is wrong with a line; empty: nothing."""
    for name, kind in FIELDS.items():
        if not isinstance(row.get(name), kind):
            return f"has no {name} that is a {kind.__name__}"
    subjects, present, asked = row["subjects"], row["present"], row["asked"]
    if len(present) != len(subjects) or not all(isinstance(one, bool) for one in present):
        return "does not say of every subject whether it is present"
    if not asked or len(set(asked)) != len(asked) or not set(asked) <= set(range(len(subjects))):
        return f"asks about subjects {asked} of {len(subjects)}"
    if row["kind"] not in ASKED_KINDS:
        return f"is of kind {row['kind']!r}"
    named = {slot for slot in SLOTS if slot in row["question"].split()}
    if named != {SLOTS[slot] for slot in asked}:
        return "asks about other people than it says"
    if slots_in(row["answer"]) != row["target"]:
        return "claims something else than its target"
    if row["kind"] == "existence":
        everybody = all(present[slot] for slot in asked)
        return "" if row["target"] == {"verdict": "yes" if everybody else "no"} else "has the wrong verdict"
    if not present[asked[0]] and row["target"] != {"refused": "yes"}:
        return "describes somebody who is not there"
    return ""
