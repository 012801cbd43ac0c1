"""`person add NAME --clip FILE`: learn a person from one clip or more, with consent on record."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

from device.cameras.factory import make_camera
from device.cameras.record import record
from device.cli.output import Output
from device.cli.person_list import as_json
from device.config import CameraConfig, DeviceConfig, load_config
from device.daemon_client import announce
from device.household import Enrolment, add_person, check_enrolment, clip_file, scratch
from device.paths import Home
from device.runtime_process import ensure_runtime
from device.store.records import PURPOSE, Consent, Person
from device.store.store import Store
from runtime.contract.bundle import Bundle
from runtime.contract.errors import ConsentError, UsageError
from runtime.contract.serving import EnrolReport
from runtime.video import MAX_CLIP_S

_OPEN_TIMEOUT_MS, _READ_TIMEOUT_MS = 10_000, 5_000
SHEET_NAME = "people-in-the-clip.jpg"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Who, from what, and who agreed."""
    parser.add_argument("name", metavar="NAME", help='as the household says it, such as "Grandma"')
    parser.add_argument(
        "--clip", type=Path, default=[], action="append", metavar="FILE",
        help="a video of this person; again for more of the same person",
    )  # fmt: skip
    parser.add_argument("--camera", metavar="CAMERA", help="record this camera of the settings instead")
    parser.add_argument(
        "--record", type=recording_s, default=20.0, metavar="20s", help="how long, up to 60s (default: 20s)"
    )
    parser.add_argument(
        "--which", type=int, metavar="N", help="person N of the contact sheet, if there are several"
    )
    parser.add_argument("--consent-by", metavar="WHO", help="who agreed that this person is recognised here")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="last day of the consent")
    parser.add_argument(
        "--alias", action="append", default=[], metavar="A", help="another word for this person"
    )
    parser.add_argument("--replace", action="store_true", help="learn somebody again who is enrolled already")


def run(args: argparse.Namespace, out: Output) -> int:
    """Nothing is stored unless everything went well."""
    home = Home.from_environment()
    config = load_config(home.config_file)
    source = camera_of(config, args.camera) if args.camera is not None else None
    if (source is None) == (not args.clip):
        raise UsageError("a person is learned from a clip or from a camera.", "Give --clip or --camera.")
    consent = Consent(_consent_by(args), time.time(), PURPOSE, args.until)
    sheet_copy = home.evidence / SHEET_NAME
    clips = tuple(clip_file(clip) for clip in args.clip)
    wanted = Enrolment(args.name, tuple(args.alias), clips, args.which, consent, "", args.replace, sheet_copy)
    with Store.open(home) as store, scratch(home) as folder:
        check_enrolment(store, wanted)
        if source is not None:
            clips = (_recorded(home, source, folder, args.record, out),)
            wanted = dataclasses.replace(wanted, clips=clips)
        out.hint(f"Learning {args.name} from {', '.join(clip.name for clip in clips)} …")
        with ensure_runtime(home, store.active_adapters(), config.limits) as runtime:
            wanted = dataclasses.replace(wanted, base=runtime.ready.base)
            timeout_ms = config.limits.enrol_timeout_ms
            person, report = add_person(store, wanted, lambda request: runtime.enrol(request, timeout_ms))
        problems = announce(home, store.active_adapters())
        near = _near(store, report)
    sheet_copy.unlink(missing_ok=True)
    for line in [*report.hints, *near, *problems]:
        out.hint(line)
    out.result({**as_json(person), "report": _report_json(report, person)}, _text(person, report))
    return 0


def recording_s(text: str) -> float:
    """Seconds from `20s` or `20`; raises `ArgumentTypeError`."""
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= MAX_CLIP_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1s to {MAX_CLIP_S:.0f}s")
    return seconds


def camera_of(config: DeviceConfig, name: str) -> CameraConfig:
    """The camera of that name.

    Raises:
        UsageError: the settings have none.
    """
    found = next((camera for camera in config.cameras if camera.name == name), None)
    if found is None:
        known = ", ".join(camera.name for camera in config.cameras) or "none"
        raise UsageError(f"there is no camera {name!r}.", f"Cameras in the settings: {known}.")
    return found


def _recorded(home: Home, source: CameraConfig, folder: Path, seconds: float, out: Output) -> Path:
    """A clip of the camera in the scratch folder: nothing of it is kept but what is learned."""
    fps = Bundle.open(home.current_bundle()).manifest.pixels.window_fps
    camera = make_camera(
        source, grid_fps=fps, open_timeout_ms=_OPEN_TIMEOUT_MS, read_timeout_ms=_READ_TIMEOUT_MS
    )
    out.hint(f"Recording {seconds:.0f} s of {source.name}: one person alone, turning slowly …")
    path = folder / f"{source.name}.mkv"
    record(
        camera, path, seconds=seconds, fps=fps, read_timeout_ms=_READ_TIMEOUT_MS,
        progress=lambda left: out.hint(f"  {left:.0f} s left"),
    )  # fmt: skip
    return path


def _consent_by(args: argparse.Namespace) -> str:
    """Who consents: from the command line, else asked for at a terminal.

    Raises:
        ConsentError: nobody.
    """
    if args.consent_by is not None:
        return str(args.consent_by)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConsentError(
            f"learning {args.name} needs consent.",
            "Say who agreed with --consent-by WHO (for a child: a parent).",
        )
    print(f"{args.name} will be recognised on the cameras of this home. Who agrees to this?", file=sys.stderr)
    print("Name (empty: nobody): ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _near(store: Store, report: EnrolReport) -> list[str]:
    if report.nearest is None:
        return []
    nearest = store.person(report.nearest.subject_id).subject.name
    return [f"Most alike among the others: {nearest} (similarity {report.nearest.similarity:.2f})."]


def _report_json(report: EnrolReport, person: Person) -> dict[str, Any]:
    active = person.adapter()
    data = dataclasses.asdict(report)
    data["adapter_path"] = None if active is None else str(active.path)
    data["sheet_path"] = None if person.sheet is None else str(person.sheet)
    return data


def _text(person: Person, report: EnrolReport) -> str:
    kind = "faces" if report.source == "face" else "heads"
    found = report.faces_found if report.source == "face" else report.heads_found
    others = f" of {report.people} people" if report.people > 1 else ""
    others += f", from {report.clips} clips" if report.clips > 1 else ""
    lines = [
        f"{person.subject.name} is enrolled{others}: {found} {kind} in {report.frames_used} frames, "
        f"{report.views} views kept, quality {report.quality:.2f}, release {report.release}."
    ]
    seen = [f"from {', '.join(report.seen_from)}"] if report.seen_from else []
    if report.light:
        seen.append(f"light {report.light}")
    if seen:
        lines.append(f"  seen {'; '.join(seen)}")
    if person.sheet is not None:
        lines.append(f"  contact sheet: {person.sheet}")
    return "\n".join(lines)
