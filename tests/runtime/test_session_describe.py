"""What is said of somebody's deeds and clothes: only what the model is sure of, and only of who is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.contract.dialogue import exit_code
from tests.fakes.tiny_bundle import ANN, STRANGER, make_bundle
from tests.fakes.tiny_home import TinyHome, open_tiny


def home_with(folder: Path, descriptions: Mapping[str, float] | None) -> TinyHome:
    built = TinyHome(open_tiny(make_bundle(folder / "bundle", descriptions=descriptions)), folder)
    built.install("ann")
    return built


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TinyHome:
    return home_with(tmp_path_factory.mktemp("sure"), None)


def test_what_the_model_is_sure_of_is_said_with_the_display_name(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: ANN}), "action", "ann")
    assert (answer.kind, answer.verdict, answer.text) == ("description", "yes", "Ann is here.")
    assert [one.subject_id for one in answer.evidence] == [answer.subjects[0].subject_id]


def test_what_the_model_is_not_sure_of_is_refused_with_both_figures(tmp_path: Path) -> None:
    home = home_with(tmp_path, {"action": 0.999})
    answer = home.ask(home.clip({19: ANN}), "action", "ann")
    assert (answer.kind, answer.verdict, exit_code(answer)) == ("refusal", None, 6)
    assert answer.text == "I see Ann in this clip, but I cannot tell more."
    assert "% sure of the action, 100% is needed" in answer.reason
    assert answer.evidence, "who was recognised is shown all the same"


def test_a_kind_that_the_base_did_not_learn_is_refused(home: TinyHome, tmp_path: Path) -> None:
    answer = home_with(tmp_path, {}).ask(home.clip({19: ANN}), "appearance", "ann")
    assert answer.kind == "refusal"
    assert "did not tell appearance well enough" in answer.reason


def test_nobody_is_described_who_is_not_there(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: STRANGER}), "action", "ann")
    assert (answer.kind, answer.verdict) == ("verdict", "no")
