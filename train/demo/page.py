"""The page to look at: every question with its evidence, the people, the updates, the engines. Pure.

One HTML file with everything in it: pictures are inlined, nothing is fetched, no script runs, every text is
escaped. Knows no processes and no files.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from train.demo.page_style import STYLE
from train.demo.score import Asked
from train.demo.table import confidence, said, verdict
from train.demo.updates import Event

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG"


@dataclass(frozen=True, slots=True)
class Portrait:
    """Somebody who was enrolled: name, facts in words, and the contact sheet (JPEG or PNG; None: none)."""

    name: str
    facts: tuple[str, ...]
    sheet: bytes | None


@dataclass(frozen=True, slots=True)
class PageData:
    """Everything that the page shows.

    Attributes:
        summary: the demo's JSON line; problems: why it failed, none if it did not.
        events, stages: of the update chapter, as `train.demo.updates.Channel` has them.
        training, parity, about: tables by title, nested as deep as they like.
    """

    summary: Mapping[str, Any]
    problems: Sequence[str]
    portraits: Sequence[Portrait]
    asked: Sequence[Asked]
    events: Sequence[Event]
    stages: Sequence[tuple[str, Mapping[str, str]]]
    training: Mapping[str, Any]
    parity: Mapping[str, Any]
    about: Mapping[str, Any]


def page(data: PageData) -> str:
    """The whole document."""
    parts = [
        _headline(data),
        _section("The people, each learned from one clip", _portraits(data.portraits)),
        _section("The questions", _questions(data.asked)),
        _section("Signed updates", _events(data.events) + _stages(data.stages)),
        _section("Engines against the model they were made from", _table(data.parity)),
        _section("The training of one adapter", _table(data.training)),
        _section("About", _table(data.about)),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>pvchat-edge demo</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def _headline(data: PageData) -> str:
    summary = data.summary
    state = "bad" if data.problems else "good"
    p50 = summary["ask_ms_p50"]
    tiles = [
        (f"{summary['correct']} of {summary['asked']}", "answers are right"),
        (str(summary["false_yes"]), "times somebody absent was said to be there"),
        ("-" if p50 is None else f"{p50 / 1000:.1f} s", "for the middle question, from command to answer"),
        (f"{summary['ota_applied']} / {summary['ota_refused']}", "updates installed / tampered ones refused"),
        (f"{summary['seconds']:.0f} s", "for everything"),
    ]
    shown = "".join(f"<div class=tile><b>{escape(a)}</b><span>{escape(b)}</span></div>" for a, b in tiles)
    failed = "".join(f"<p class=problem>{escape(problem)}</p>" for problem in data.problems)
    return (
        f'<header class="{state}"><h1>pvchat-edge: from one clip to an answer</h1>'
        "<p>A rendered household. Everything below went through the real command line, sockets, cameras and "
        "signed updates; the truth was looked up after each answer.</p>"
        f"{failed}<div class=tiles>{shown}</div></header>"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content or '<p class=quiet>Nothing.</p>'}</section>"


def _portraits(portraits: Sequence[Portrait]) -> str:
    cards = []
    for one in portraits:
        facts = "".join(f"<li>{escape(fact)}</li>" for fact in one.facts)
        sheet = _picture(one.sheet, f"Contact sheet of {one.name}") if one.sheet else ""
        cards.append(f"<article class=person><h3>{escape(one.name)}</h3>{sheet}<ul>{facts}</ul></article>")
    return f"<div class=people>{''.join(cards)}</div>" if cards else ""


def _questions(asked: Sequence[Asked]) -> str:
    numbered = list(enumerate(asked, start=1))
    parts = []
    for scene, group in groupby(numbered, key=lambda pair: pair[1].scene):
        cards = "".join(_card(number, one) for number, one in group)
        parts.append(f"<h3>{escape(scene)}</h3><div class=cards>{cards}</div>")
    return "".join(parts)


def _card(number: int, one: Asked) -> str:
    answer, good = one.answer, one.mark.right
    pictures = "".join(
        _picture(raw, f"Evidence {index} of question {number}")
        for index, raw in enumerate(one.pictures, start=1)
    )
    mark = '<span class="mark good">✓ right</span>' if good else '<span class="mark bad">✗ wrong</span>'
    if one.mark.false_yes:
        mark += '<span class="mark bad">said yes to somebody absent</span>'
    facts = [
        ("verdict", verdict(answer)),
        ("confidence", confidence(answer)),
        ("truth", one.truth.text),
        ("time", f"{one.wall_ms / 1000:.1f} s{_inside(answer)}"),
        ("seen", _cameras(answer)),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts if value)
    return (
        f'<article class="card {"good" if good else "bad"}"><div class=frames>'
        f"{pictures or '<p class=empty>no picture: nobody in view</p>'}</div>"
        f"<div class=text><p class=topic>{number} · {escape(one.question.topic)}</p>"
        f"<h4>{escape(one.question.text)}</h4><p class=said>{escape(said(answer))}</p>"
        f"<p>{mark}</p><dl>{rows}</dl></div></article>"
    )


def _inside(answer: Mapping[str, Any]) -> str:
    """How much of the time the answer itself took."""
    timings = answer.get("timings_ms") or {}
    spent_ms = timings.get("daemon_total", timings.get("total"))
    return "" if spent_ms is None else f" ({spent_ms / 1000:.2f} s of it answering)"


def _cameras(answer: Mapping[str, Any]) -> str:
    """Which cameras or clip an answer rests on, and the age of the newest frame."""
    cameras = [f"{one['room']} camera {one['state']}" for one in answer.get("cameras") or ()]
    if not cameras:
        return ", ".join(dict.fromkeys(str(one["camera"]) for one in answer.get("evidence") or ()))
    age_ms = answer.get("frame_age_ms")
    age = [] if age_ms is None else [f"newest frame {age_ms / 1000:.1f} s old"]
    return ", ".join([*cameras, *age])


def _events(events: Sequence[Event]) -> str:
    rows = [
        (
            f"<tr><td class={'good' if one.good else 'bad'}>{'✓' if one.good else '✗'}</td>"
            f"<td>{escape(one.what)}</td><td>{escape(one.outcome)}</td></tr>"
        )
        for one in events
    ]
    return f"<div class=wide><table>{''.join(rows)}</table></div>" if rows else ""


def _stages(stages: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    if not stages:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name, _ in stages)
    names = dict.fromkeys(name for _, found in stages for name in found)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{escape(found.get(name, '-'))}</td>" for _, found in stages)
        + "</tr>"
        for name in names
    )
    return f"<h3>Releases on the box</h3><div class=wide><table><tr><th></th>{head}</tr>{rows}</table></div>"


def _table(values: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in flatten(values)
    )
    return f"<div class=wide><table>{rows}</table></div>" if rows else ""


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Names joined by dots, and values in words."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        elif isinstance(value, float):
            yield name, f"{value:.4g}"
        elif isinstance(value, (list, tuple)):
            yield name, ", ".join(f"{one:.4g}" if isinstance(one, float) else str(one) for one in value)
        else:
            yield name, str(value)


def _picture(raw: bytes, alt: str) -> str:
    """An inlined picture; anything but JPEG and PNG is named, not shown."""
    kind = "jpeg" if raw.startswith(_JPEG) else "png" if raw.startswith(_PNG) else ""
    if not kind:
        return f"<p class=empty>{escape(alt)}: no picture</p>"
    coded = base64.b64encode(raw).decode("ascii")
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{coded}">'
