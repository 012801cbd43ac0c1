"""`python -m train.evaluate_identity FOLDER`: one clip a person to learn from, all others to find them in.

FOLDER/PERSON/CLIP; the first clip by name is learned from. What is measured is the runtime that ships,
through `python -m runtime pipe`. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import runtime
from runtime.contract.errors import ContentError, UsageError
from runtime.contract.prompt import MAX_SUBJECTS
from runtime.registry import read_model, registry
from runtime.video import read_video
from train.evaluate.box import Box
from train.evaluate_identity.layout import Identity, read_identities
from train.evaluate_identity.measure import Query, figures
from train.program import run_program
from train.progress import bar

_SHIPPED = Path(runtime.__file__).parent / "base_bundle"
_ENCODERS = {"face": "dlib ResNet embedding of faces", "head": "the base's own"}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit code is the error's."""
    args = _arguments(argv)
    return run_program("train.evaluate_identity", lambda: _measure(args))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate_identity", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--strangers", default="", metavar="A,B", help="people who are never enrolled")
    parser.add_argument(
        "--reference", action="append", default=[], metavar="PERSON/CLIP", help="another clip to learn from"
    )
    parser.add_argument("--bundle", type=Path, default=_SHIPPED, help="default: the one that ships")
    parser.add_argument("--models", type=Path, help="folder of models of others, see `models pull`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the line, with every query, here")
    return parser.parse_args(argv)


def _measure(args: argparse.Namespace) -> dict[str, Any]:
    people = read_identities(
        args.folder, [one for one in args.strangers.split(",") if one], _references(args)
    )
    with (
        TemporaryDirectory() as folder,
        Box(args.bundle, Path(folder) / "runtime.log", threads=args.threads, models=args.models) as box,
    ):
        refs, sources, refused = _enrol(box, people, Path(folder))
        queries = _ask(box, people, refs)
    line = {
        **{name: _short(value) for name, value in figures(queries, len(refs)).items()},
        "not_enrolled": refused,
        "encoders": "; ".join([*(_ENCODERS[source] for source in sorted(sources)), *_others(args.models)]),
    }
    for query in queries:
        _tell(query)
    if args.json is not None:
        rows = [{name: getattr(query, name) for name in Query.__slots__} for query in queries]
        args.json.write_text(json.dumps({**line, "each": rows}, indent=1) + "\n", encoding="utf-8")
    return line


def _others(folder: Path | None) -> list[str]:
    """What finds faces and people: models of others, by name and role; without one dlib finds faces."""
    cards = registry() if folder is not None else ()
    found = {card.role: card.name for card in cards if folder and read_model(card, folder) is not None}
    found.setdefault("face_detector", "dlib")
    return [f"{name} ({role.replace('_', ' ')})" for role, name in sorted(found.items())]


def _references(args: argparse.Namespace) -> dict[str, str]:
    found = {}
    for text in args.reference:
        name, slash, clip = text.partition("/")
        if not slash or not name or not clip:
            raise UsageError(f"--reference wants PERSON/CLIP, got {text!r}.")
        found[name] = clip
    return found


def _enrol(
    box: Box, people: Sequence[Identity], folder: Path
) -> tuple[dict[str, dict[str, Any]], set[str], list[str]]:
    """What `set_subjects` takes, by name; sources of their embeddings; who could not be learned."""
    refs: dict[str, dict[str, Any]] = {}
    sources, refused, progress = set[str](), [], bar("learn")
    wanted = [person for person in people if person.reference is not None]
    for number, person in enumerate(wanted, start=1):
        subject_id = "s" + hashlib.sha256(person.name.encode()).hexdigest()[:32]
        path = folder / f"{subject_id}.safetensors"
        request = {
            "subject_id": subject_id, "path": str(person.reference.absolute() if person.reference else ""),
            "which": None, "adapter_path": str(path), "sheet_path": None, "release": 1,
        }  # fmt: skip
        try:
            report = box.call({"type": "enrol", "request": request})["report"]
        except ContentError as error:
            refused.append(person.name)
            sys.stderr.write(f"{person.name} is not learned: {error}\n")
        else:
            refs[person.name] = {"subject_id": subject_id, "path": str(path), "release": 1}
            sources.add(str(report["source"]))
        progress(number, len(wanted))
    if not refs:
        raise ContentError("nobody could be learned.", "Use clips that show one person, near and clear.")
    return refs, sources, refused


def _ask(box: Box, people: Sequence[Identity], refs: dict[str, dict[str, Any]]) -> list[Query]:
    """Every clip about everybody enrolled, eight at a time: more a runtime does not hold."""
    names, progress = list(refs), bar("find")
    groups = [names[start : start + MAX_SUBJECTS] for start in range(0, len(names), MAX_SUBJECTS)]
    clips = [(person, path) for person in people for path in person.queries]
    verdicts: list[dict[str, str]] = [{} for _ in clips]
    confidences: list[dict[str, float | None]] = [{} for _ in clips]
    spent = [0.0] * len(clips)
    for place, group in enumerate(groups):
        box.call({"type": "set_subjects", "adapters": [refs[name] for name in group]})
        for number, (_, path) in enumerate(clips):
            for first, name in enumerate(group):
                began = time.monotonic()
                verdicts[number][name], confidences[number][name] = _is_here(box, path, refs[name])
                if place == 0 and first == 0:
                    spent[number] = time.monotonic() - began
            progress(place * len(clips) + number + 1, len(groups) * len(clips))
    return [
        Query(
            person.name, path.name, person.name in refs, verdicts[number], confidences[number],
            read_video(path, fps=1.0).source_s, spent[number],
        )
        for number, (person, path) in enumerate(clips)
        if person.reference is None or person.name in refs
    ]  # fmt: skip


def _is_here(box: Box, path: Path, ref: dict[str, Any]) -> tuple[str, float | None]:
    request = {
        "type": "ask", "intent": {"kind": "existence", "subject_ids": [ref["subject_id"]]},
        "names": {}, "clip": {"path": str(path.absolute())},
    }  # fmt: skip
    try:
        answer = box.call(request)["answer"]
    except ContentError:
        return "unavailable", None
    return str(answer["verdict"]), answer["confidence"]


def _tell(query: Query) -> None:
    """One line about a clip, for a person to read."""
    said = ", ".join(f"{name} {verdict}" for name, verdict in query.verdicts.items() if verdict != "no")
    sys.stderr.write(f"{query.name:12} {query.clip:28} {said or 'nobody'}\n")


def _short(value: float | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == int(value) and abs(value) > 1 else round(value, 4)


if __name__ == "__main__":
    sys.exit(main())
