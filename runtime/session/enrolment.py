"""Clips to one adapter: find the person, choose views, one forward pass. Knows no vault and no names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.adapters import write_adapter
from runtime.contract.adapter import Adapter, check_adapter
from runtime.contract.clip import Clip
from runtime.contract.errors import ContentError, UsageError
from runtime.contract.serving import EnrolReport, EnrolRequest, PeopleNearest
from runtime.contract.sources import PersonSource
from runtime.people.cluster import mean_template, spread_views
from runtime.people.cohort import face_likeness
from runtime.people.views import PersonView
from runtime.session.advice import hints, seen_from
from runtime.session.evidence import write_jpeg
from runtime.session.light import light_of
from runtime.session.models import Models
from runtime.session.observe import Observation, Observer
from runtime.session.reference import learn, reference_tokens
from runtime.session.sheet import contact_sheet
from runtime.video import MAX_CLIP_S, read_video

Floats = NDArray[np.float32]
KEPT_VIEWS = 16
_LOOKS, _FACES_PER_PERSON = 24, 16
_SURE_PERSON_VIEWS = 4
_SAME_ABOVE = {"head": 0.5, "face": 0.6}
"""Likenesses from which a person in another clip, of another day, is the same one.

Heads: other people of a clip reach 0.57 for the most alike 1 %, most are at 0. Faces: all but 2 % of the same
people in another session, see `face_calibration`.
"""
_CLEARLY = 0.15
"""How much less alike the next person in that clip must be."""
_AGAIN = "Record 5 to 20 seconds of this person alone, facing the camera and turning slowly, in good light."


@dataclass(frozen=True, slots=True)
class _Part:
    """One clip's share: the views of the person in it."""

    clip: Clip
    views: list[PersonView]


def enrol_from(
    models: Models, observer: Observer, request: EnrolRequest, others: Sequence[Adapter]
) -> EnrolReport:
    """Make and write an adapter; see `Session.enrol`.

    Args:
        others: adapters that are installed for other subjects.
    """
    clip, seen = _watch(models, observer, request.path)
    people = _people(seen.views, models.manifest.calibration.min_quality)
    if request.sheet_path is not None and people:
        write_jpeg(request.sheet_path, contact_sheet(clip.frames, people, clip.fps))
    mine = _pick(people, request, seen.source, bool(seen.views))
    parts = [_Part(clip, mine)]
    parts += [_further(models, observer, path, request.path, mine, seen.source) for path in request.more]
    views = [view for part in parts for view in part.views]
    kept = spread_views(_good(views), KEPT_VIEWS)
    adapter = _adapter(models, request, parts, kept, seen.source)
    write_adapter(request.adapter_path, adapter)
    nearest = _nearest(adapter, others, seen.source)
    light = light_of([(part.clip.frames, _good(part.views)) for part in parts])
    quality = float(np.mean([view.quality for view in kept]))
    return EnrolReport(
        subject_id=request.subject_id,
        release=request.release,
        source=seen.source,
        frames_used=sum(len({view.frame for view in part.views}) for part in parts),
        heads_found=len(views) if seen.source == "head" else 0,
        faces_found=len(views) if seen.source == "face" else 0,
        views=len(kept),
        people=len(people),
        quality=round(quality, 3),
        hints=hints(kept, quality, light, nearest, seen.source),
        seen_from=seen_from(kept),
        light=light,
        nearest=nearest,
        adapter_path=request.adapter_path,
        sheet_path=request.sheet_path,
        clips=len(parts),
    )


def _watch(models: Models, observer: Observer, path: Path) -> tuple[Clip, Observation]:
    video = read_video(path, fps=models.manifest.pixels.window_fps, max_s=MAX_CLIP_S)
    return video.clip, observer.observe(
        video.clip, looks=_LOOKS, per_track=_FACES_PER_PERSON, check=lambda: None
    )


def _further(
    models: Models, observer: Observer, path: Path, first: Path, known: Sequence[PersonView],
    source: PersonSource,
) -> _Part:  # fmt: skip
    """The person of the first clip in another one; nobody else's views are ever mixed in."""
    clip, seen = _watch(models, observer, path)
    if seen.source != source:
        raise ContentError(
            f"{path.name} is another kind of footage than {first.name}.", "Enrol from one kind alone."
        )
    people = _people(seen.views, models.manifest.calibration.min_quality)
    template = mean_template(known)
    alike = [(_likeness(template, mean_template(views), source), n) for n, views in enumerate(people)]
    alike.sort(reverse=True)
    if not alike or alike[0][0] < _SAME_ABOVE[source]:
        raise ContentError(f"nobody in {path.name} looks like the person of {first.name}.", _AGAIN)
    if len(alike) > 1 and alike[1][0] > alike[0][0] - _CLEARLY:
        raise ContentError(
            f"two people in {path.name} look like the person of {first.name}.", "Leave this clip out."
        )
    return _Part(clip, people[alike[0][1]])


def _likeness(one: Floats, other: Floats, source: PersonSource) -> float:
    """How alike two templates (E,) are, -1..1."""
    return float(face_likeness(one[None], other[None])[0, 0] if source == "face" else one @ other)


def _people(views: Sequence[PersonView], min_quality: float) -> list[list[PersonView]]:
    """Views by person; without those who cannot be told, and single sightings beside a clear person."""
    groups = [[view for view in views if view.track == track] for track in sorted({v.track for v in views})]
    clear = [group for group in groups if max(view.quality for view in group) >= min_quality]
    most = max((len(group) for group in clear), default=0)
    return [group for group in clear if len(group) > 1 or most < _SURE_PERSON_VIEWS]


def _pick(
    people: list[list[PersonView]], request: EnrolRequest, source: PersonSource, any_seen: bool
) -> list[PersonView]:
    if not people:
        what = "face" if source == "face" else "person"
        problem = f"only a {what} too small or blurred to learn from" if any_seen else f"no {what}"
        raise ContentError(f"the clip {request.path.name} shows {problem}.", _AGAIN)
    if request.which is not None:
        if not 1 <= request.which <= len(people):
            raise UsageError(
                f"--which {request.which}: the clip shows {len(people)} people, counted from 1.",
                "Look at the contact sheet.",
            )
        return people[request.which - 1]
    if len(people) > 1:
        where = "" if request.sheet_path is None else f"Look at {request.sheet_path} and "
        step = f"{where}say which with --which N, 1 to {len(people)}."
        raise ContentError(
            f"the clip {request.path.name} shows {len(people)} different people.", step[:1].upper() + step[1:]
        )
    return people[0]


def _good(views: Sequence[PersonView]) -> list[PersonView]:
    """Views at least half as good as the best: a bad one would be kept for being unusual."""
    best = max(view.quality for view in views)
    return [view for view in views if view.quality >= best / 2]


def _adapter(
    models: Models,
    request: EnrolRequest,
    parts: Sequence[_Part],
    kept: Sequence[PersonView],
    source: PersonSource,
) -> Adapter:
    sized = [(part.views, (part.clip.frames.shape[2], part.clip.frames.shape[1])) for part in parts]
    kept_views = np.stack([view.embedding for view in kept])
    arrays = learn(models, reference_tokens(models, sized), source, kept_views)
    adapter = Adapter(request.subject_id, models.manifest.base, "instant", request.release, arrays)
    return check_adapter(adapter, base=models.manifest.base, shapes=models.manifest.shapes)


def _nearest(adapter: Adapter, others: Sequence[Adapter], source: PersonSource) -> PeopleNearest | None:
    mine = adapter.template(source)
    best: PeopleNearest | None = None
    for other in others:
        theirs = other.template(source)
        if mine is None or theirs is None:
            continue
        alike = round(_likeness(mine, theirs, source), 4)
        if best is None or alike > best.similarity:
            best = PeopleNearest(other.subject_id, alike)
    return best
