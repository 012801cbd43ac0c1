"""Claims about scoring identities: the layout, and what each figure counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.contract.errors import ContentError, UsageError
from train.evaluate_identity.layout import read_identities
from train.evaluate_identity.measure import Query, figures

FILES = ("ann/b.mp4", "ann/a.mkv", "ann/notes.txt", "ben/x.mpg", "cyn/1.mp4", "cyn/2.mp4", "empty/t.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def test_first_clip_by_name_is_learned_from_and_strangers_are_not(folder: Path) -> None:
    ann, ben, cyn = read_identities(folder, ["cyn"])
    assert ann.reference is not None and ann.reference.name == "a.mkv"
    assert [path.name for path in ann.queries] == ["b.mp4"]
    assert (ben.queries, cyn.reference, len(cyn.queries)) == ((), None, 2)
    chosen = read_identities(folder, (), {"ann": "b.mp4"})[0]
    assert chosen.reference is not None and chosen.reference.name == "b.mp4"


def test_names_and_clips_that_are_not_there_are_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="'tom'"):
        read_identities(folder, ["tom"])
    with pytest.raises(UsageError, match="ann has no clip 'z\\.mp4'"):
        read_identities(folder, (), {"ann": "z.mp4"})
    with pytest.raises(ContentError, match="no folders of clips"):
        read_identities(folder / "empty")
    with pytest.raises(ContentError, match="not a folder"):
        read_identities(folder / "none")


def query(name: str, enrolled: bool, ann: str, ben: str, confidence: float | None = 0.95) -> Query:
    said = {"ann": ann, "ben": ben}
    sure = {who: confidence if verdict == "yes" else 0.02 for who, verdict in said.items()}
    return Query(name, "c", enrolled, said, sure, 4.0, 2.0)


def test_every_rate_counts_the_clips_it_says() -> None:
    asked = [
        query("ann", True, "yes", "no"),
        query("ann", True, "yes", "yes"),
        query("ann", True, "unsure", "no"),
        query("ben", True, "no", "no"),
        query("cyn", False, "no", "unsure"),
        query("cyn", False, "yes", "no"),
    ]
    found = figures(asked, 2)
    assert (found["queries"], found["strangers"], found["enrolled"]) == (4, 2, 2)
    assert (found["identified"], found["unsure"], found["false_no"]) == (0.25, 0.25, 0.25)
    assert found["wrong_name"] == pytest.approx(2 / 6)
    assert found["stranger_named"] == 0.5
    assert found["fnir_at_fpir_1"] is None, "two strangers tell nothing about one in a hundred"
    assert found["realtime_factor"] == 2.0


def test_nothing_seen_in_many_is_not_never() -> None:
    found = figures([query("cyn", False, "no", "no") for _ in range(20)], 2)
    assert (found["stranger_named"], found["stranger_named_low"]) == (0.0, 0.0)
    assert found["stranger_named_high"] == pytest.approx(1 - 0.025 ** (1 / 20))
    assert found["identified"] is None


def test_one_percent_of_the_strangers_set_the_threshold() -> None:
    strangers = [query("cyn", False, "yes" if n == 0 else "no", "no", 0.99) for n in range(100)]
    mated = [query("ann", True, "yes", "no", 0.97), query("ann", True, "no", "no")]
    assert figures([*strangers, *mated], 2)["fnir_at_fpir_1"] == 0.5


def test_one_comparison_in_a_thousand_sets_the_threshold_of_misses() -> None:
    absent = [query("cyn", False, "no", "no") for _ in range(499)]
    alike = query("cyn", False, "yes", "no", 0.96)
    mated = [query("ann", True, "yes", "no", 0.97), query("ben", True, "no", "yes", 0.96)]
    found = figures([*absent, alike, *mated], 2)
    assert found["comparisons_of_others"] == 2 * 500 + 2
    assert found["fnmr_at_fmr_01"] == 0.0, "one of 1002 may reach what nobody else does"
    assert figures([*absent, alike, alike, *mated], 2)["fnmr_at_fmr_01"] == 0.5
    assert figures(mated, 2)["fnmr_at_fmr_01"] is None, "two comparisons tell nothing about one in a thousand"
