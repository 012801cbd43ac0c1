"""What is kept between questions: it saves work, never changes an answer, and goes with those it is about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.contract import prompt
from runtime.contract.dialogue import Answer, Intent
from runtime.contract.prompt import Spoken
from runtime.contract.serving import AdapterRef, ClipSource, EnrolRequest
from runtime.engines.decoder import Decoder
from runtime.engines.language import LanguageModel
from runtime.session import describe, footage
from runtime.session.describe import PrefixKey
from tests.fakes.counting import Counting, count_engines
from tests.fakes.tiny_bundle import ANN, BEN, make_bundle, write_clip
from tests.fakes.tiny_bundle import frame as picture
from tests.fakes.tiny_home import IDS, NAMES, TinyHome, forever, open_tiny


@pytest.fixture
def home(tmp_path: Path) -> TinyHome:
    built = TinyHome(open_tiny(make_bundle(tmp_path / "bundle")), tmp_path)
    built.install("ann", "ben")
    return built


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[PrefixKey]:
    """The keys of every description from now on."""
    heard: list[PrefixKey] = []
    generate = LanguageModel.generate

    def listen(
        self: LanguageModel, prompts: Mapping[PrefixKey, object], *rest: object, **named: object
    ) -> Spoken:
        heard.extend(prompts)
        return generate(self, prompts, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(LanguageModel, "generate", listen)
    return heard


def said(answer: Answer) -> tuple[object, ...]:
    """An answer without what depends on the time."""
    return (answer.kind, answer.text, answer.verdict, answer.confidence, answer.evidence, answer.reason)


def counted_language(home: TinyHome) -> Counting:
    language = home.session._models.language
    assert language is not None
    counter = Counting(home.session._models.engines["language"])
    language._decoder = Decoder(counter)
    return counter


def test_the_second_question_about_a_clip_costs_only_its_own_tokens(home: TinyHome) -> None:
    language = counted_language(home)
    engines = count_engines(home.session._models)
    clip = home.clip({19: ANN})
    home.ask(clip, "action", "ann")
    before = {role: len(engine.sizes) for role, engine in engines.items()}
    steps = len(language.sizes)
    first = home.ask(clip, "appearance", "ann")
    assert {role: len(engine.sizes) for role, engine in engines.items()} == before, (
        "no engine but the language"
    )
    words = len(first.text.split()) + 1
    assert len(language.sizes) - steps <= words + 1, "its question at once, then a step a word"


def test_an_answer_from_memory_is_that_of_a_full_pass(home: TinyHome, tmp_path: Path) -> None:
    clip = home.clip({19: ANN}, {27: BEN})
    for kind in ("action", "appearance", "existence"):
        home.ask(clip, kind, "ann")
    again = home.ask(clip, "appearance", "ann")
    fresh = TinyHome(open_tiny(make_bundle(tmp_path / "again")), tmp_path)
    fresh.install("ann", "ben")
    assert said(again) == said(fresh.ask(clip, "appearance", "ann"))


def test_another_release_of_an_adapter_is_another_key(home: TinyHome, keys: list[PrefixKey]) -> None:
    clip = home.clip({19: ANN})
    home.ask(clip, "action", "ann")
    path = home.folder / "ann-2.safetensors"
    reference = home.clip({9: ANN}, {14: ANN}, {30: ANN})
    home.session.enrol(EnrolRequest(IDS["ann"], reference, None, path, None, 2))
    home.session.set_subjects([AdapterRef(IDS["ann"], path, 2), home.ref("ben")])
    home.ask(clip, "action", "ann")
    one, other = keys
    assert one.subjects != other.subjects
    assert (one.window, one.template, one.engine) == (other.window, other.template, other.engine)


def test_another_template_is_another_key(
    home: TinyHome, keys: list[PrefixKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = home.clip({19: ANN})
    home.ask(clip, "action", "ann")
    monkeypatch.setattr(prompt, "PERSON_OPEN", "[INST]")
    home.ask(clip, "action", "ann")
    monkeypatch.undo()
    monkeypatch.setattr(describe, "TEMPLATE_VERSION", 2)
    assert describe.template_hash([]) != keys[0].template
    assert keys[0].template != keys[1].template
    assert (keys[0].window, keys[0].subjects) == (keys[1].window, keys[1].subjects)


def test_another_question_is_the_same_key(home: TinyHome, keys: list[PrefixKey]) -> None:
    clip = home.clip({19: ANN})
    home.ask(clip, "action", "ann")
    home.ask(clip, "appearance", "ann")
    assert keys[0] == keys[1]


def test_another_bundle_and_another_clip_are_other_keys(
    home: TinyHome, keys: list[PrefixKey], tmp_path: Path
) -> None:
    clip, other_clip = home.clip({19: ANN}), home.clip({20: ANN})
    home.ask(clip, "action", "ann")
    home.ask(other_clip, "action", "ann")
    bundle = make_bundle(tmp_path / "other", descriptions={"action": 0.4, "appearance": 0.4})
    other = TinyHome(open_tiny(bundle), tmp_path)
    other.install("ann")
    other.ask(clip, "action", "ann")
    first, second, third = keys
    assert first.window != second.window and first.engine == second.engine
    assert first.engine != third.engine and first.window != third.window


def test_the_prefixes_of_somebody_who_is_forgotten_are_dropped_and_no_others(home: TinyHome) -> None:
    home.ask(home.clip({19: ANN}), "action", "ann")
    home.ask(home.clip({19: BEN}), "action", "ben")
    language = home.session._models.language
    assert language is not None
    home.session.set_subjects([home.ref("ben")])
    assert [key.subjects[0][0] for key in language._prefixes] == [IDS["ben"]]  # type: ignore[attr-defined]


def test_questions_about_several_clips_in_turn_compare_each_once(home: TinyHome) -> None:
    engines = count_engines(home.session._models)
    clips = [home.clip({19: ANN}), home.clip({20: BEN}), home.clip({21: ANN})]
    for clip in clips:
        home.ask(clip, "existence", "ann")
    before = len(engines["bridge"].sizes)
    for clip in clips:
        home.ask(clip, "existence", "ben")
    assert len(engines["bridge"].sizes) == before


def test_a_clip_that_was_just_decoded_is_not_decoded_again(
    home: TinyHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    decode = footage._decoded

    def listen(path: Path, *rest: object) -> footage.Footage:
        decoded.append(path)
        return decode(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(footage, "_decoded", listen)
    clip = home.clip({19: ANN})
    first = home.ask(clip, "existence", "ann")
    assert said(home.ask(clip, "existence", "ann")) == said(first)
    assert decoded == [clip]


def test_a_file_with_other_bytes_is_another_clip_whatever_its_name_and_times(home: TinyHome) -> None:
    shown, other = home.clip({19: ANN}), home.clip({19: BEN})
    status = shown.stat()
    assert home.ask(shown, "existence", "ann").verdict == "yes"
    shutil.copyfile(other, shown)
    os.utime(shown, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert home.ask(shown, "existence", "ann").verdict == "no"


def test_a_clip_that_nobody_asks_about_any_more_is_forgotten(
    home: TinyHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.ask(home.clip({19: ANN}), "existence", "ann")
    home.session.forget_gone()
    assert home.session._projector._last is not None
    monkeypatch.setattr(footage, "_KEPT_S", 0.0)
    home.session.forget_gone()
    assert home.session._projector._last is None


def test_a_clip_that_is_large_in_memory_is_not_kept(home: TinyHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "_KEPT_MIB", 5)
    clip = write_clip(home.folder / "long.mkv", [picture({19: ANN})] * 8)
    answer = home.session.answer(ClipSource(clip), Intent("who"), NAMES, None, forever)
    assert answer.subjects
    assert home.session._projector._last is None


def test_what_is_no_plain_file_is_never_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert footage._digest(Path("/dev/zero")) == footage._digest(tmp_path / "pipe.mp4") == ""
    assert footage._digest(tmp_path / "nothing.mp4") == ""
