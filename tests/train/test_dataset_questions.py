"""Claims about the questions of a dataset: who is asked about, balance, rewriting, what a line must be."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.contract.errors import ContentError, UsageError
from runtime.people.views import PersonView
from tests.train.test_gallery import unit
from train.augment.dataset.ask import rows_of
from train.augment.dataset.attributes import AttributeReader, NoReader
from train.augment.dataset.config import AugmentConfig
from train.augment.dataset.eyes import Eyes
from train.augment.dataset.folder import Folder, Made
from train.augment.dataset.household import make_household
from train.augment.dataset.rewrite import ProgramRewriter, finished, says_the_same
from train.augment.dataset.rows import problem, read_rows
from train.augment.vary.shot import Shot

LEVELS = {"Ann": 64, "Ben": 110, "Cyn": 190}
STRANGER = 20
CONFIG = AugmentConfig(questions_each=1, clip_frames=4, canonical_share=0.3)


class Greys:
    """Eyes to which every upright stripe of one grey is a person; black is nobody."""

    source = "face"
    encoder = "greys"
    same_above = 0.97
    looks: AttributeReader = NoReader()

    def views(self, frames: NDArray[np.uint8], fps: float) -> list[PersonView]:
        found = []
        for index, frame in enumerate(frames):
            columns = frame.mean(axis=(0, 2))
            ends = [0, *(np.flatnonzero(np.abs(np.diff(columns)) > 6) + 1), len(columns)]
            for track, (start, end) in enumerate(pairwise(ends)):
                if end - start > 8 and (mean := float(columns[start:end].mean())) > 4:
                    box = (float(start), 0.0, float(end - start), 48.0)
                    view = PersonView(index, 0.0, track, box, box, unit(mean / 64), 0.9, "face")
                    found.append(view)
        return found

    def distance(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(1 - one @ other.T, dtype=np.float32)


def dataset(root: Path, name: str, level: int, others: tuple[int, ...] = (STRANGER,)) -> Path:
    """A person's dataset: one clip as it was filmed, and clips of others."""
    folder = Folder(root)
    for number, grey in enumerate((level, *others)):
        shot = Shot(np.full((4, 48, 64, 3), grey, dtype=np.uint8), np.zeros((4, 4), dtype=np.float32), 4.0)
        folder.clip(
            (name, str(number)), lambda shot=shot: (shot, 1.0), lambda alike: True,  # type: ignore[misc]
            recipe="clip" if number == 0 else "still+yes", origin=f"{name}.mp4",
            role="positive" if number == 0 else "similar",
        )  # fmt: skip
    looks = {f"{name}.mp4": {"top_color": "red", "top_kind": "shirt"}}
    folder.finish({"subject": name, "source": "face", "attributes": looks}, [], "")
    return root


def household(
    tmp_path: Path, names: tuple[str, ...] = tuple(LEVELS), **changes: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    roots = [dataset(tmp_path / name, name, LEVELS[name]) for name in names]
    line = make_household(roots, tmp_path / "home", cast(Eyes, Greys()), CONFIG, changes.get("clips_each", 2))
    return line, list(read_rows(tmp_path / "home" / "qa.jsonl"))


def test_every_combination_of_one_to_three_people_is_shown_equally_often_pairs_and_nobody_too(
    tmp_path: Path,
) -> None:
    line, rows = household(tmp_path)
    shown = {who: count for who, count in line.items() if who.startswith("clips ")}
    assert shown == {
        "clips nobody": 2, "clips Ann": 2, "clips Ben": 2, "clips Cyn": 2, "clips Ann+Ben": 2,
        "clips Ann+Cyn": 2, "clips Ben+Cyn": 2, "clips Ann+Ben+Cyn": 2, "clips dropped": 0,
    }  # fmt: skip
    assert len(rows) == line["questions"] == 8 * 2 * 7 * 4
    patterns = Counter(tuple(row["present"]) for row in rows if row["kind"] == "existence")
    assert len(patterns) == 8 and len(set(patterns.values())) == 1
    assert len(set(Counter(row["kind"] for row in rows).values())) == 1, "four kinds in equal number"
    asked = Counter(len(row["asked"]) for row in rows if row["kind"] == "existence")
    assert asked == {1: 48, 2: 48, 3: 16}


def test_who_of_several_is_there_is_what_the_answer_says(tmp_path: Path) -> None:
    _, rows = household(tmp_path)
    assert all(problem(row) == "" for row in rows)
    worn = {"top_color": "red", "top_kind": "shirt"}
    for row in rows:
        assert "Ann" not in row["question"] + row["answer"]
        if row["kind"] != "existence":
            here = row["present"][row["asked"][0]]
            clothes = worn if row["kind"] == "appearance" else {"refused": "yes"}
            assert row["target"] == (clothes if here else {"refused": "yes"})
    both = [
        row for row in rows if len(row["asked"]) == 2 and sum(row["present"][at] for at in row["asked"]) == 1
    ]
    assert {row["target"]["verdict"] for row in both} == {"no"}


def test_clip_in_which_another_member_is_seen_is_dropped_and_counted(tmp_path: Path) -> None:
    roots = [
        dataset(tmp_path / "Ann", "Ann", 64, others=(110,)),
        dataset(tmp_path / "Ben", "Ben", 110, (64,)),
    ]
    line = make_household(roots, tmp_path / "home", cast(Eyes, Greys()), CONFIG, 3)
    assert "clips nobody" not in line, "their strangers are each other"
    assert (line["clips Ann"], line["clips Ben"], line["clips Ann+Ben"]) == (3, 3, 3)
    assert line["clips dropped"] == 3


def test_two_of_one_name_two_who_look_alike_and_what_is_no_dataset_are_refused(tmp_path: Path) -> None:
    ann, twin = dataset(tmp_path / "a", "Ann", 64), dataset(tmp_path / "b", "Bea", 66)
    eyes = cast(Eyes, Greys())
    for roots, error, said in (
        ([ann, ann], UsageError, "two datasets are of 'Ann'"),
        ([ann], UsageError, "2 to 3 datasets"),
        ([ann, twin], ContentError, "look like one person"),
        ([ann, tmp_path], ContentError, "is no dataset of a person"),
    ):
        with pytest.raises(error, match=said):
            make_household(roots, tmp_path / "home", eyes, CONFIG, 1)


def test_household_is_made_once(tmp_path: Path) -> None:
    household(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "home" / "clips").iterdir()}
    household(tmp_path)
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "home" / "clips").iterdir()}


def test_yes_is_right_as_often_as_no_however_few_clips_show_the_person() -> None:
    def made(role: Any, number: int) -> Made:
        return Made(f"clips/{number:016x}.mp4", "0" * 64, "clip", "a", role, 0.9, True)

    clips = [made("positive", 1), made("positive", 2), *(made("random", 3 + number) for number in range(5))]
    rows = rows_of(clips, AugmentConfig(questions_each=2), "Ann", {})
    for kind in ("existence", "action", "appearance", "location"):
        mine = [row for row in rows if row["kind"] == kind]
        assert [row["present"][0] for row in mine].count(True) == len(mine) / 2 == 10
    many = rows_of([clips[0], *clips[2:], *clips[2:], *clips[2:]], AugmentConfig(questions_each=1), "Ann", {})
    assert [row["present"][0] for row in many].count(True) == 4 * 4, "no clip is asked about over and over"


LINES = """
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    answer = row["answer"]
    if sys.argv[1] == "polite":
        answer = answer[:-1].replace("yes ,", "Yes, indeed,").replace("no ,", "No, sorry,") + "."
    elif sys.argv[1] == "liar":
        answer = "yes , <p1> is here ." if answer.startswith("no") else "no , <p1> is not here ."
    print(json.dumps({"answer": answer}))
"""


def plain_rows() -> list[dict[str, Any]]:
    roles: tuple[Any, Any] = ("positive", "random")
    clips = [
        Made(f"clips/{number:016x}.mp4", "0" * 64, "clip", "a", role, 0.9, True)
        for number, role in enumerate(roles)
    ]
    return rows_of(clips, AugmentConfig(questions_each=6, canonical_share=0.3), "Ann", {})


def program(how: str) -> tuple[str, ...]:
    return (sys.executable, "-c", LINES, how)


def test_rewriting_changes_words_alone_and_is_marked() -> None:
    rows = plain_rows()
    polite, dropped = finished(rows, AugmentConfig(rewriter=program("polite")))
    assert dropped == 0
    changed = [(old, new) for old, new in zip(rows, polite, strict=True) if new["rewritten"]]
    assert changed
    for old, new in changed:
        assert new["answer"] != old["answer"] and problem(new) == ""
        assert {key: new[key] for key in old if key not in ("answer", "rewritten")} == {
            key: old[key] for key in old if key not in ("answer", "rewritten")
        }
    assert finished(rows, AugmentConfig()) == (rows, 0)


def test_rewriting_that_says_something_else_is_dropped_and_counted() -> None:
    rows = plain_rows()
    kept, dropped = finished(rows, AugmentConfig(rewriter=program("liar")))
    assert [row["answer"] for row in kept] == [row["answer"] for row in rows]
    assert dropped > 10 and not any(row["rewritten"] for row in kept)


@pytest.mark.parametrize(
    ("answer", "target", "new", "same"),
    [
        ("yes , <p1> is here .", {"verdict": "yes"}, "yes , i can see <p1> .", True),
        ("yes , <p1> is here .", {"verdict": "yes"}, "yes , <p1> is nowhere , not here .", False),
        ("no , <p1> is not here .", {"verdict": "no"}, "no , <p1> is here .", False),
        ("no , <p1> is not here .", {"verdict": "no"}, "no , i cannot see <p1> .", True),
        ("yes , <p1> is here .", {"verdict": "yes"}, "yes , <p2> is here .", False),
        ("yes , <p1> is here .", {"verdict": "yes"}, "yes , <p1> is wearing a red shirt .", False),
        ("yes , <p1> is here .", {"verdict": "yes"}, "yes , <p1>" + " very" * 9 + " much here .", False),
        ("<p1> is drinking .", {"action": "drinking"}, "<p1> is waving .", False),
        ("<p1> is drinking .", {"action": "drinking"}, "i see <p1> drinking .", True),
        ("<p1> is drinking .", {"action": "drinking"}, "", False),
        ("<p1> is drinking .", {"action": "drinking"}, "<p1> is drinking {}", False),
    ],
)
def test_what_counts_as_the_same_is_what_can_be_read_back(
    answer: str, target: dict[str, str], new: str, same: bool
) -> None:
    assert says_the_same({"answer": answer, "target": target}, new) is same


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        (("no-such-rewriter",), UsageError, "cannot be started"),
        ((sys.executable, "-c", "raise SystemExit('out of memory')"), ContentError, "out of memory"),
        ((sys.executable, "-c", "print('hello')"), ContentError, "no answer"),
        ((sys.executable, "-c", ""), ContentError, "answered 0 of 1"),
        ((sys.executable, "-c", "import time; time.sleep(9)"), ContentError, "longer than 0.5 s"),
    ],
)
def test_rewriter_that_fails_is_one_error(
    command: tuple[str, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        ProgramRewriter(command, 0.5).rewrite(plain_rows()[:1])
    assert getattr(caught.value, "next_step", "")


def test_line_that_breaks_the_schema_is_named(tmp_path: Path) -> None:
    (row, *_) = [row for row in plain_rows() if row["kind"] == "existence"]
    path = tmp_path / "qa.jsonl"
    wrongs: list[dict[str, Any]] = [
        {"asked": [1]}, {"asked": []}, {"present": []}, {"present": ["yes"]}, {"kind": "who"}, {"clip": None},
        {"answer": "no , <p1> is not here ."}, {"question": "is <p2> here ?"}, {"rewritten": "no"},
        {"target": {"verdict": "no"}, "answer": "no , <p1> is not here ."},
    ]  # fmt: skip
    for changes in wrongs:
        path.write_text(json.dumps(row) + "\n" + json.dumps({**row, **changes}) + "\n", encoding="utf-8")
        with pytest.raises(ContentError, match="line 2"):
            list(read_rows(path))
    path.write_text("[]\n", encoding="utf-8")
    with pytest.raises(ContentError, match="line 1 is no object"):
        list(read_rows(path))
    with pytest.raises(ContentError, match="cannot be read"):
        list(read_rows(tmp_path / "none"))
