"""Claims about bundles that read bodies: signs reach the bridge, and a body without a head is somebody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.engines.base import Array
from tests.fakes.tiny_bundle import ANN, HEADLESS, make_bundle
from tests.fakes.tiny_graphs import BODY_SIGNS
from tests.fakes.tiny_home import TinyHome, open_tiny


@pytest.fixture
def home(tmp_path: Path) -> TinyHome:
    session = open_tiny(make_bundle(tmp_path / "bundle", with_bodies=True, domain_limit=5.0))
    return TinyHome(session, tmp_path)


def test_bundle_that_reads_bodies_passes_its_own_test(home: TinyHome) -> None:
    assert home.session.selftest() == []


def test_bridge_gets_what_the_body_shows_and_the_pose_of_the_head(
    home: TinyHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.install("ann")
    bridge = home.session._models.engines["bridge"]
    seen: list[Array] = []
    run = bridge.run

    def spy(inputs: dict[str, Array]) -> dict[str, Array]:
        seen.append(inputs["person_signs"])
        return run(inputs)

    monkeypatch.setattr(bridge, "run", spy)
    assert home.ask(home.clip({20: ANN}), "existence", "ann").verdict == "yes"
    signs = seen[0]
    used = signs.any(axis=1)
    assert used.any() and not used.all()
    pose = signs[used][:, BODY_SIGNS:]
    np.testing.assert_allclose(pose, np.tile(np.array(ANN) / 255, (len(pose), 1)), atol=0.05)
    assert (signs[used][:, 0] > 0.1).all(), "the crop of the body has some of the red square"


def test_body_without_a_head_makes_no_unsure_and_says_why(home: TinyHome) -> None:
    home.install("ann")
    empty = home.ask(home.clip({}), "existence", "ann")
    assert empty.verdict == "no"
    hidden = home.ask(home.clip({36: HEADLESS}), "existence", "ann")
    assert (hidden.verdict, hidden.reason) == ("unsure", "Somebody is in view whose head is not.")
    assert home.ask(home.clip({36: HEADLESS}), "stranger").verdict == "unsure"


def test_body_without_a_head_takes_nothing_from_somebody_who_is_seen(home: TinyHome) -> None:
    home.install("ann")
    answer = home.ask(home.clip({9: ANN, 38: HEADLESS}), "existence", "ann")
    assert answer.verdict == "yes"


def test_passing_glimpse_of_a_body_is_no_doubt(home: TinyHome) -> None:
    home.install("ann")
    glimpse = home.clip(*([{36: HEADLESS}] + [{}] * 11), seconds=0.25)
    assert home.ask(glimpse, "existence", "ann").verdict == "no"


def test_enrolment_says_from_which_sides_a_head_was_seen_and_what_is_missing(home: TinyHome) -> None:
    """In the tiny world the pose of a head is its colour: sine 1.0 and cosine 0.0 is a head turned right."""
    report = home.enrol("ann")
    assert report.seen_from == ("right",)
    assert (
        "no view from the front or turned to the left: three seconds more of that would help." in report.hints
    )
