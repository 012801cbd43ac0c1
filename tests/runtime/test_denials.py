"""Claims about denied sightings: they only ever weaken, and only the subject they are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.errors import AdapterError
from runtime.session.denials import after_denials
from runtime.sightings import Sighting, read_sighting, sighting_from_bytes, sighting_to_bytes
from tests.fakes.tiny_bundle import ANN, BEN, STRANGER, make_bundle
from tests.fakes.tiny_home import IDS, TinyHome, open_tiny

EVIDENCE = st.floats(-12, 12)
SEEN = Sighting(
    IDS["ann"], "head", "b" * 64, np.eye(2, 8, dtype=np.float32), np.ones((2, 12), dtype=np.float32)
)


@given(llr=EVIDENCE, rivals=st.lists(EVIDENCE, max_size=5))
def test_denials_never_make_anybody_more_likely(llr: float, rivals: list[float]) -> None:
    assert -12 <= after_denials(llr, rivals) <= llr


@given(llr=EVIDENCE)
def test_whoever_looks_like_the_denied_one_as_much_is_no_longer_accepted(llr: float) -> None:
    assert after_denials(llr, [llr]) < np.log(9.0)
    assert after_denials(llr, [-12.0]) == after_denials(llr, []) == llr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TinyHome:
    folder = tmp_path_factory.mktemp("denials")
    built = TinyHome(open_tiny(make_bundle(folder / "bundle")), folder)
    built.install("ann", "ben")
    return built


def test_denied_person_is_not_taken_for_the_subject_again_and_others_stay(home: TinyHome) -> None:
    clip, folder = home.clip({9: ANN, 30: BEN}), home.folder / "evidence"
    before = home.ask(clip, "existence", "ann", evidence=folder)
    (evidence,) = before.evidence
    assert (before.verdict, evidence.subject_id) == ("yes", IDS["ann"])
    seen = folder / f"{evidence.event}.seen"
    assert read_sighting(seen).subject_id == IDS["ann"]
    home.session.set_subjects([replace(home.ref("ann"), denied=(seen,)), home.ref("ben")])
    after = home.ask(clip, "existence", "ann")
    assert after.verdict == "unsure"
    ben = home.ask(clip, "existence", "ben")
    assert ben.verdict == "yes"
    home.session.set_subjects([home.ref("ann"), home.ref("ben")])
    again = home.ask(clip, "existence", "ann")
    assert (again.verdict, again.confidence) == ("yes", before.confidence)
    assert home.ask(clip, "existence", "ben").confidence == pytest.approx(ben.confidence, abs=1e-3)


def test_nothing_is_kept_of_somebody_without_a_name(home: TinyHome) -> None:
    folder = home.folder / "strangers"
    answer = home.ask(home.clip({19: STRANGER}), "who", evidence=folder)
    assert [one.event for one in answer.evidence] == [""]
    assert not list(folder.glob("*.seen"))


def test_heads_of_another_base_say_nothing_and_another_subjects_denial_is_refused(home: TinyHome) -> None:
    path = home.folder / "old.seen"
    path.write_bytes(sighting_to_bytes(replace(SEEN, base="c" * 64)))
    home.session.set_subjects([replace(home.ref("ann"), denied=(path,))])
    assert home.ask(home.clip({9: ANN}), "existence", "ann").verdict == "yes"
    path.write_bytes(sighting_to_bytes(replace(SEEN, subject_id=IDS["ben"])))
    with pytest.raises(AdapterError, match="a denial of"):
        home.session.set_subjects([replace(home.ref("ann"), denied=(path,))])
    home.install("ann", "ben")


def test_file_comes_back_as_it_was_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    raw = sighting_to_bytes(SEEN)
    again = sighting_from_bytes(raw)
    assert again.views.tobytes() == SEEN.views.tobytes() and again.geom.tobytes() == SEEN.geom.tobytes()
    assert (again.subject_id, again.source, again.base) == (SEEN.subject_id, SEEN.source, SEEN.base)
    for damaged in (raw[:-1], raw[:40], b"", b"\xff" * 200):
        with pytest.raises(AdapterError):
            sighting_from_bytes(damaged)
    with pytest.raises(AdapterError, match="cannot read"):
        read_sighting(tmp_path / "none.seen")


@pytest.mark.parametrize(
    "broken",
    [
        {"views": np.zeros((0, 8), dtype=np.float32), "geom": np.zeros((0, 12), dtype=np.float32)},
        {"views": np.full((2, 8), np.nan, dtype=np.float32)},
        {"geom": np.ones((3, 12), dtype=np.float32)},
        {"views": np.ones((2, 8), dtype=np.float64)},
    ],
)
def test_sighting_without_sound_views_is_refused(broken: dict[str, np.ndarray]) -> None:
    with pytest.raises(AdapterError, match="no views"):
        sighting_from_bytes(sighting_to_bytes(replace(SEEN, **broken)))  # type: ignore[arg-type]
