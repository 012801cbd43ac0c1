"""Asks a question through the command line, and only then looks up what is true. Knows no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train.demo.children import Children
from train.demo.score import Asked, score
from train.demo.story import Question, Scene, Story
from train.demo.truth import truth_of


@dataclass(slots=True)
class Asker:
    """Collects everything that was asked.

    Attributes:
        videos: files by clip id.
        persons: person id of each enrolled subject id.
        tell: called with the number and the outcome of each question.
        asked: all of them, in order.
    """

    children: Children
    story: Story
    videos: Mapping[str, Path]
    persons: dict[str, str]
    tell: Callable[[int, Asked], None]
    asked: list[Asked] = field(default_factory=list)

    def ask(self, question: Question, scene: Scene, chapter: str = "") -> Asked:
        """One question while this scene is on; an answer that is an error counts as wrong."""
        words = ["ask", question.text]
        if question.clip is not None:
            words += ["--clip", str(self.videos[question.clip])]
        reply = self.children.cli(*words, accept=None)
        truth = truth_of(question, self.story.shown(question, scene), self.story.names)
        one = Asked(
            scene=chapter or scene.name,
            question=question,
            answer=reply.data,
            truth=truth,
            mark=score(question, truth, reply.data, self.persons),
            wall_ms=reply.wall_ms,
            pictures=pictures_of(reply.data),
        )
        self.asked.append(one)
        self.tell(len(self.asked), one)
        return one


def pictures_of(answer: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The evidence pictures of an answer, each once; a picture that is gone already is left out."""
    paths = dict.fromkeys(Path(one["image"]) for one in answer.get("evidence", ()) if one["image"])
    return tuple(path.read_bytes() for path in paths if path.is_file())
