"""Answers in other words, by a language model of the user's own, believed as far as they can be checked.

The paper lets a model rewrite its answers. Here that is a program: it is started once, reads a JSON object
a line (`question`, `answer`, `kind`) and writes one a line (`answer`), in the same order. A rewriting that
claims something else, names somebody else or is much longer is dropped, and the answer stays as it was; so do
answers about several people: who of them is there cannot be read back from any sentence. Knows no clips.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

from runtime.contract.errors import ContentError
from runtime.contract.prompt import SLOTS, YES, canonical_question
from train.augment.command import run_command
from train.augment.dataset.config import AugmentConfig
from train.augment.questions import slots_in

Row = dict[str, Any]
MORE_WORDS = 6
"""By how many words a rewriting may be longer: nobody can check what else a long one says."""
_PLAIN = re.compile(r"[a-z0-9<>' ,.!-]+")


class Rewriter(Protocol):
    """Puts answers into other words."""

    def rewrite(self, rows: Sequence[Row]) -> list[str]:
        """One answer a row.

        Raises:
            UsageError: it cannot be started. ContentError: it failed, or answered with something else.
        """
        ...


class ProgramRewriter:
    """A program of the user's own; see the module."""

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self._command, self._timeout_s = list(command), timeout_s

    def rewrite(self, rows: Sequence[Row]) -> list[str]:
        """See `Rewriter.rewrite`."""
        asked = "".join(
            json.dumps({name: row[name] for name in ("question", "answer", "kind")}) + "\n" for row in rows
        )
        said = run_command(
            "the rewriter", self._command, timeout_s=self._timeout_s, limit="rewrite_timeout_s",
            told=asked.encode(),
        )  # fmt: skip
        try:
            answers = [str(json.loads(line)["answer"]) for line in said.splitlines() if line.strip()]
        except (ValueError, KeyError, TypeError) as error:
            raise ContentError(
                f"the rewriter wrote a line that is no answer: {error}.", "Try it by hand."
            ) from error
        if len(answers) != len(rows):
            raise ContentError(
                f"the rewriter answered {len(answers)} of {len(rows)} lines.", "It writes one line for each."
            )
        return answers


def rewritten(rows: Sequence[Row], rewriter: Rewriter) -> tuple[list[Row], int]:
    """The rows with `rewritten` set, and how many rewritings were dropped.

    Answers to questions in the runtime's own wording stay, whose probability is that of what they claim.
    """
    free = [row for row in rows if _may_change(row)]
    answers = rewriter.rewrite(free) if free else []
    said = {id(row): tidy(text) for row, text in zip(free, answers, strict=True)}
    made, dropped = [], 0
    for row in rows:
        answer = said.get(id(row), str(row["answer"]))
        good = answer != row["answer"] and says_the_same(row, answer)
        dropped += answer != row["answer"] and not good
        made.append({**row, "answer": answer if good else row["answer"], "rewritten": good})
    return made, dropped


def finished(rows: Sequence[Row], config: AugmentConfig) -> tuple[list[Row], int]:
    """The rows as the configuration wants them, and how many rewritings were dropped."""
    if not config.rewriter:
        return list(rows), 0
    return rewritten(rows, ProgramRewriter(config.rewriter, config.rewrite_timeout_s))


def tidy(text: str) -> str:
    """A sentence in the style of the prompt: lower case, marks apart."""
    return " ".join(re.sub(r"([,.!])", r" \1 ", text.lower()).split())


def says_the_same(row: Row, answer: str) -> bool:
    """Whether an answer is one plain sentence that claims what the row's does, of the same people."""
    most = len(str(row["answer"]).split()) + MORE_WORDS
    if not 0 < len(answer.split()) <= most or _PLAIN.fullmatch(answer) is None:
        return False
    verdict = row["target"].get("verdict")
    if verdict is not None:  # "no , <p1> is here ." begins well and says the opposite
        first, _, rest = answer.partition(" ")
        if first != verdict or slots_in(rest) != ({} if verdict == YES else {"refused": "yes"}):
            return False
    return slots_in(answer) == row["target"] and _named(answer) == _named(str(row["answer"]))


def _may_change(row: Row) -> bool:
    return len(row["asked"]) == 1 and row["question"] != canonical_question(row["kind"], row["asked"])


def _named(text: str) -> set[str]:
    return {slot for slot in SLOTS if slot in text.split()}
