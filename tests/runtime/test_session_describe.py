"""What is said of somebody's deeds and clothes: only what the model is sure of, and only of who is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.contract.dialogue import exit_code
from runtime.contract.prompt import BlockPiece, Spoken
from runtime.engines.language import LanguageModel
from runtime.session.describe import PrefixKey
from tests.fakes.tiny_bundle import ANN, BEN, CYN, STRANGER, frame, make_bundle, write_clip
from tests.fakes.tiny_home import TinyHome, open_tiny


def home_with(
    folder: Path, descriptions: Mapping[str, float] | None, *names: str, described_with: int = 1
) -> TinyHome:
    bundle = make_bundle(folder / "bundle", descriptions=descriptions, described_with=described_with)
    built = TinyHome(open_tiny(bundle), folder)
    built.install(*(names or ("ann",)))
    return built


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TinyHome:
    return home_with(tmp_path_factory.mktemp("sure"), None)


def test_what_the_model_is_sure_of_is_said_with_the_display_name(home: TinyHome) -> None:
    answer = home.ask(home.clip({19: ANN}), "action", "ann")
    assert (answer.kind, answer.verdict, answer.text) == ("description", "yes", "Ann is waving.")
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


def test_prompt_of_a_description_holds_the_enrolled_present_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_with(tmp_path, None, "ann", "ben", "cyn", described_with=2)
    heard: list[tuple[set[int], object]] = []
    generate = LanguageModel.generate

    def listen(self: LanguageModel, prompts: object, pieces: object, **rest: object) -> Spoken:
        slots = {piece.subject for piece in pieces if isinstance(piece, BlockPiece)} - {-1}  # type: ignore[attr-defined]
        heard.append((slots, rest["slots"]))
        return generate(self, prompts, pieces, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LanguageModel, "generate", listen)
    alone = home.clip({19: BEN})
    assert home.ask(alone, "action", "ben").text == "Ben is waving."
    assert home.ask(home.clip({19: CYN}), "action", "cyn").text == "Cyn is waving."
    (slots, spoken), (slots_of_cyn, spoken_of_cyn) = heard
    assert (slots, spoken) == ({0, 1}, [1]), "Ann is in the prompt, but may not be spoken of"
    assert (slots_of_cyn, spoken_of_cyn) == ({0}, [0])


def test_questions_about_people_of_one_prompt_share_its_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_with(tmp_path, None, "ann", "ben", described_with=2)
    keys: list[object] = []
    generate = LanguageModel.generate

    def listen(
        self: LanguageModel, prompts: Mapping[object, object], *rest: object, **named: object
    ) -> Spoken:
        keys.append(list(prompts))
        return generate(self, prompts, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(LanguageModel, "generate", listen)
    both = home.clip({9: ANN, 27: BEN})
    assert home.ask(both, "action", "ann").text == "Ann is waving."
    assert home.ask(both, "appearance", "ben").text == "Ben is waving."
    assert keys[0] == keys[1]


def test_clothes_are_not_told_where_the_camera_sees_no_colour(home: TinyHome) -> None:
    night = write_clip(home.folder / "night.mkv", [frame({19: ANN}, (72, 72, 72))] * 8)
    answer = home.ask(night, "appearance", "ann")
    assert (answer.kind, exit_code(answer)) == ("refusal", 6)
    assert answer.reason == "The camera sees no colour now, so clothes cannot be told. Ask again by day."
    assert home.ask(night, "action", "ann").text == "Ann is waving."


def test_every_window_that_shows_the_person_is_heard_and_no_other(
    home: TinyHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    generate = LanguageModel.generate

    def listen(
        self: LanguageModel, prompts: Mapping[PrefixKey, object], *rest: object, **named: object
    ) -> Spoken:
        keys.extend(key.window.rsplit(":", 1)[1] for key in prompts)
        return generate(self, prompts, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(LanguageModel, "generate", listen)
    home.ask(home.clip({19: ANN}, {19: ANN}, {3: STRANGER}), "action", "ann")
    assert sorted(keys) == ["0", "8"], "the third window shows somebody else"
