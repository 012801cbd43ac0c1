"""Subjects are swapped whole, live windows are answered with their age, bundles without parts say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.adapters import adapter_from_bytes, write_adapter
from runtime.config import RuntimeConfig
from runtime.contract.bundle import Bundle
from runtime.contract.dialogue import Intent
from runtime.contract.errors import AdapterError, BundleError, CameraError, EngineError
from runtime.contract.serving import WindowSource
from runtime.frames import RingWriter
from runtime.session import open_session
from runtime.session.local import LocalSession
from runtime.session.models import load_models
from tests.fakes.tiny_bundle import ANN, BEN, STRANGER, frame, make_bundle, write_bundle
from tests.fakes.tiny_home import COLOURS, IDS, NAMES, TinyHome, forever, open_tiny


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def home(bundle: Bundle, tmp_path: Path) -> TinyHome:
    return TinyHome(open_tiny(bundle), tmp_path)


def test_one_bad_adapter_refuses_all_and_the_old_subjects_stay(home: TinyHome) -> None:
    home.install("ann")
    home.enrol("ben")
    good = adapter_from_bytes(home.adapter("ben").read_bytes())
    broken = dict(good.arrays)
    broken["queries"] = np.full_like(broken["queries"], np.nan)
    for bad, message in (
        (replace(good, arrays=broken), "not finite"),
        (replace(good, base="c" * 64), "was made for base"),
        (replace(good, release=2), "says .* release 2"),
        (replace(good, subject_id=IDS["cyn"]), "says"),
    ):
        write_adapter(home.adapter("ben"), bad)
        with pytest.raises(AdapterError, match=message):
            home.session.set_subjects([home.ref("ben")])
    with pytest.raises(AdapterError, match="same subject"):
        home.session.set_subjects([home.ref("ann"), home.ref("ann")])
    assert home.ask(home.clip({19: ANN}), "existence", "ann").verdict == "yes"


def test_prepared_subjects_change_nothing_until_they_are_installed(home: TinyHome) -> None:
    home.install("ann")
    home.enrol("ben")
    path = home.clip({19: ANN})
    install = home.session.prepare_subjects([home.ref("ben")])
    for name in ("ann", "ben"):
        home.adapter(name).unlink()
    assert home.ask(path, "existence", "ann").verdict == "yes"
    install()
    assert home.ask(path, "who").unknown_people == 1
    assert home.ask(path, "existence", "ben").verdict == "no"


def test_a_forgotten_subject_is_a_stranger_again(home: TinyHome) -> None:
    home.install("ann", "ben")
    path = home.clip({19: ANN})
    assert home.ask(path, "who").unknown_people == 0
    home.install("ben")
    answer = home.ask(path, "who")
    assert (answer.unknown_people, answer.subjects) == (1, ())


def test_the_confidence_in_one_does_not_change_when_somebody_else_is_added(home: TinyHome) -> None:
    path = home.clip({19: ANN, 22: STRANGER})
    home.install("ann")
    alone = home.ask(path, "existence", "ann").confidence
    home.install("ann", "ben", "cyn")
    assert home.ask(path, "existence", "ann").confidence == pytest.approx(alone, abs=1e-3)


def test_more_than_eight_subjects_are_compared(home: TinyHome) -> None:
    home.enrol("ann")
    home.enrol("ben")
    refs = []
    for number in range(9):
        copy = replace(
            adapter_from_bytes(home.adapter("ben").read_bytes()), subject_id=f"s{number + 100:032x}"
        )
        path = home.folder / f"{number}.safetensors"
        write_adapter(path, copy)
        refs.append(replace(home.ref("ben"), subject_id=copy.subject_id, path=path))
    home.session.set_subjects([*refs, home.ref("ann")])
    assert home.ask(home.clip({19: ANN}), "existence", "ann").verdict == "yes"


def test_a_live_window_is_answered_with_room_time_and_age(bundle: Bundle, tmp_path: Path) -> None:
    config = RuntimeConfig(device="cpu", threads=1)
    session = LocalSession(bundle, load_models(bundle, config), config, clock=lambda: 1000.5)
    home = TinyHome(session, tmp_path)
    home.install("ann", "ben")
    with RingWriter(640, 480) as ring:
        source = WindowSource("front", "kitchen", ring.name)
        with pytest.raises(CameraError):
            session.answer(source, Intent("who"), NAMES, None, forever)
        for step in range(9):
            ring.write(frame({17: ANN}), 998.0 + step / 4)
        answer = session.answer(source, Intent("existence", (IDS["ann"],)), NAMES, None, forever)
        assert answer.text == "Yes, Ann is in the kitchen."
        assert (answer.as_of, answer.frame_age_ms) == (1000.0, 500.0)
        assert answer.evidence[0].camera == "front"
        assert 998.0 <= answer.evidence[0].at <= 1000.0
        where = session.answer(source, Intent("location", (IDS["ann"],)), NAMES, None, forever)
        assert where.text == "Ann is in the kitchen, on the left of the picture."
        absent = session.answer(source, Intent("existence", (IDS["ben"],)), NAMES, None, forever)
        assert absent.verdict == "no"


def test_a_live_question_looks_at_one_window_of_the_engines_and_no_further_back(home: TinyHome) -> None:
    home.install("ann")
    with RingWriter(640, 480) as ring:
        source = WindowSource("front", "kitchen", ring.name)
        for step in range(17):
            ring.write(frame({17: ANN} if step < 9 else {}), 998.0 + step / 4)
            if step >= 15:  # Ann's last frame is the first of the window, then she is before it
                answer = home.session.answer(source, Intent("existence", (IDS["ann"],)), NAMES, None, forever)
                assert answer.verdict == ("yes" if step == 15 else "no")


def test_a_bundle_without_a_language_model_refuses_to_describe(tmp_path: Path) -> None:
    home = TinyHome(open_tiny(make_bundle(tmp_path / "bundle", with_language=False)), tmp_path)
    home.install("ann")
    answer = home.ask(home.clip({16: ANN}), "appearance", "ann")
    assert (answer.kind, answer.verdict) == ("refusal", None)
    assert [one.verdict for one in answer.subjects] == ["yes"]
    assert "no language model" in answer.reason
    where = home.ask(home.clip({16: ANN}), "location", "ann")
    assert where.text == "Ann is on the left of the picture."


def test_a_changed_engine_file_is_refused_at_load(bundle: Bundle, tmp_path: Path) -> None:
    files = {entry.path: bundle.path(entry.path).read_bytes() for entry in bundle.manifest.files}
    roles = {entry.path: entry.role for entry in bundle.manifest.files}
    copy = write_bundle(
        tmp_path,
        {path: (raw, roles[path]) for path, raw in files.items()},
        bundle.manifest.engines,
        bundle.manifest.calibration,
    )
    open_session(copy, RuntimeConfig(device="cpu", threads=1))
    raw = bytearray(files["vision/head.onnx"])
    raw[len(raw) // 2] ^= 1
    (tmp_path / "vision" / "head.onnx").write_bytes(bytes(raw))
    with pytest.raises(BundleError, match=r"vision/head\.onnx is not the file of the manifest"):
        open_session(copy, RuntimeConfig(device="cpu", threads=1))
    lacking = replace(copy, manifest=replace(copy.manifest, engines={}))
    with pytest.raises(BundleError, match="no engine vision, head, bridge, enrol"):
        open_session(lacking, RuntimeConfig(device="cpu", threads=1))


def test_two_people_in_turn_are_told_apart(home: TinyHome) -> None:
    home.install("ann", "ben")
    answer = home.ask(home.clip({19: ANN}, {20: BEN}), "who")
    assert answer.text == "I see Ann and Ben in this clip."


def give_face(home: TinyHome, name: str) -> None:
    known = adapter_from_bytes(home.adapter(name).read_bytes())
    face = np.eye(1, 128, dtype=np.float32)
    write_adapter(home.adapter(name), replace(known, arrays={**known.arrays, "views.face": face}))


def test_who_is_known_by_face_brings_the_face_library_beforehand_and_nobody_else_does(
    home: TinyHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("runtime.session.models.shared_faces", lambda: asked.append("loaded"))
    home.install("ann")
    assert asked == []
    give_face(home, "ann")
    install = home.session.prepare_subjects([home.ref("ann")])
    assert asked == ["loaded"]
    install()


def test_a_face_library_that_does_not_load_keeps_nobody_from_being_installed(
    home: TinyHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise EngineError("the face library (dlib) does not load.", "Install it.")

    monkeypatch.setattr("runtime.session.models.shared_faces", missing)
    home.enrol("ann")
    give_face(home, "ann")
    home.session.set_subjects([home.ref("ann")])
    assert home.ask(home.clip({9: COLOURS["ann"]}), "existence", "ann").subjects
