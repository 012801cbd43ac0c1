"""What the terminal shows: a line or two for each question, and the end. Pure; knows no processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from train.demo.score import Asked

_RIGHT, _WRONG = "✓", "✗"
_TEXT_CHARS = 100


def row(number: int, asked: Asked) -> str:
    """Question, verdict, confidence, truth and time; under it the answer in words."""
    mark = _RIGHT if asked.mark.right else _WRONG
    seconds = f"{asked.wall_ms / 1000:.1f} s"
    head = f" {mark} {number:2d}  {asked.question.text:<44} {verdict(asked.answer):<12}"
    facts = f"{confidence(asked.answer):>5}  {seconds:>6}  truth: {asked.truth.text}"
    return f"{head} {facts}\n        {said(asked.answer)}"


def verdict(answer: Mapping[str, Any]) -> str:
    """The answer in a word."""
    if "error" in answer:
        return "error"
    return str(answer.get("verdict") or answer.get("kind", ""))


def confidence(answer: Mapping[str, Any]) -> str:
    """Two digits, or a dash."""
    value = answer.get("confidence")
    return "-" if value is None else f"{float(value):.2f}"


def said(answer: Mapping[str, Any]) -> str:
    """The answer in words, on one line, with the reason if it was none."""
    error = answer.get("error")
    if isinstance(error, Mapping):
        text = f"{error.get('message', '')} {error.get('next_step', '')}"
    else:
        text = str(answer.get("text", ""))
        if answer.get("verdict") in ("unsure", "unavailable") or answer.get("kind") == "refusal":
            text = f"{text} {answer.get('reason', '')}"
    return _short(text)


def event_row(good: bool, what: str, outcome: str) -> str:
    """Something that happened to the update channel, and what the command line said."""
    return f" {_RIGHT if good else _WRONG}  -  update {what}\n        {_short(outcome)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _TEXT_CHARS else f"{text[: _TEXT_CHARS - 1]}…"


def releases(status: Mapping[str, Any]) -> dict[str, str]:
    """`pvchat-edge ota status --json` as words by name: which releases of each person are on the box."""
    return {
        str(person["name"]): ", ".join(
            f"{one['release']} {one['state']} ({one['kind']})" for one in person["adapters"]
        )
        for person in status["subjects"]
    }


def versions_table(stages: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """A column for each stage, a line for each person.

    Args:
        stages: what happened, and `releases` afterwards.
    """
    names = list(dict.fromkeys(name for _, found in stages for name in found))
    lines = [["", *(stage for stage, _ in stages)]]
    lines += [[name, *(found.get(name, "-") for _, found in stages)] for name in names]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    ]
    return "\n".join(f"    {line.rstrip()}" for line in padded)


_INSIDE = {
    "first_ms": "for the first question about a scene",
    "followup_ms": "for the next about it",
    "described_ms": "for a description",
}


def _inside(summary: Mapping[str, Any]) -> list[str]:
    known = [f"{summary[name]:.0f} ms {what}" for name, what in _INSIDE.items() if summary[name] is not None]
    return [f"Of that the box itself took {', '.join(known)}."] if known else []


def closing(summary: Mapping[str, Any], problems: Sequence[str], page: str) -> str:
    """The readable end."""
    p50 = summary["ask_ms_p50"]
    middle = "no answer came" if p50 is None else f"the middle answer took {p50 / 1000:.1f} s"
    lines = [
        f"{summary['correct']} of {summary['asked']} answers are right, "
        f"{summary['false_yes']} times somebody absent was said to be there, {middle}.",
        *_inside(summary),
        f"{summary['ota_applied']} signed update installed, {summary['ota_refused']} tampered ones refused.",
        f"Look at it: {page}",
        *(f"FAILED: {problem}" for problem in problems),
    ]
    return "\n".join(lines)
