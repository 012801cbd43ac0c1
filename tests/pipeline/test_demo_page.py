"""The demo's page: one file, well formed, nothing fetched, nothing run, everything escaped and shown."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from train.demo.page import PageData, Portrait, flatten, page
from train.demo.score import Asked, Mark, Updates, summarise
from train.demo.story import Question
from train.demo.truth import Truth
from train.demo.updates import Event

JPEG = b"\xff\xd8\xff\xe0 what follows does not matter here"
YES: dict[str, Any] = {"kind": "verdict", "text": "So.", "verdict": "yes", "confidence": 0.97}


def asked(right: bool = True, text: str = "Is Grandma here?", reply: Mapping[str, Any] = YES) -> Asked:
    question = Question(text, "present", "existence", ("grandma",))
    truth = Truth("yes", frozenset({"grandma"}), 0, "yes: Grandma there")
    return Asked("Morning", question, reply, truth, Mark(right, False, False), 800.0, (JPEG,))


class Tags(HTMLParser):
    """Tags, attributes and text of a page; complains about tags that do not nest."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = io.StringIO()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.write(data)


def page_data(**changes: Any) -> PageData:
    evil = "<script>alert('x')</script>"
    many = [asked(), asked(right=False, text=f"Is {evil} here?", reply={**YES, "text": evil})]
    values: dict[str, Any] = {
        "summary": summarise(many, Updates(1, 2), 90.0),
        "problems": [f"{evil} failed"],
        "portraits": [Portrait(f"Grandma {evil}", ("8 views", evil), JPEG), Portrait("Tom", (), None)],
        "asked": many,
        "events": [Event(evil, evil, True), Event("tampered", "refused", False)],
        "stages": [(evil, {evil: evil}), ("after", {"Tom": "2 active"})],
        "training": {"steps": 12, "loss": [0.51234, 0.3]},
        "parity": {"max_abs": {"vision": 1.25e-6}, "provider": evil},
        "about": {"machine": evil},
    }
    return PageData(**{**values, **changes})


def test_the_page_is_one_well_formed_file_that_fetches_and_runs_nothing() -> None:
    tags = Tags(page(page_data()))
    names = {tag for tag, _ in tags.seen}
    assert not names & {"script", "link", "iframe", "object", "form"}
    sources = [value for _, attrs in tags.seen for name, value in attrs.items() if name in ("src", "href")]
    assert len(sources) == 3
    assert all(str(source).startswith("data:image/jpeg;base64,") for source in sources)
    assert not [name for _, attrs in tags.seen for name in attrs if name.startswith("on")]
    assert "prefers-color-scheme: dark" in page(page_data())
    assert not re.search(r"url\(|@import|https?://", page(page_data()))


def test_the_page_shows_every_question_person_event_and_version_as_it_was_written() -> None:
    shown = Tags(page(page_data())).text.getvalue()
    for part in (
        "<script>alert('x')</script>", "Is Grandma here?", "yes: Grandma there", "0.97", "Tom", "tampered",
        "2 active", "max_abs.vision", "1.25e-06", "1 of 2", "0.5123, 0.3",
    ):  # fmt: skip
        assert part in shown


def test_a_page_of_a_demo_that_did_nothing_is_still_a_page() -> None:
    empty = page_data(summary=summarise([], Updates(), 1.0), asked=[], portraits=[], events=[], stages=[])
    assert "Nothing." in Tags(page(empty)).text.getvalue()


def test_bytes_that_are_no_picture_are_not_inlined() -> None:
    text = page(page_data(portraits=[Portrait("Tom", (), b"<svg onload=alert(1)>")]))
    assert "no picture" in Tags(text).text.getvalue()
    assert "<svg" not in text


def test_nested_values_are_named_by_their_path() -> None:
    assert list(flatten({"a": {"b": 1, "c": [1, 2.5]}, "d": "x"})) == [
        ("a.b", "1"),
        ("a.c", "1, 2.5"),
        ("d", "x"),
    ]
