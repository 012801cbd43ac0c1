"""One clip to one adapter: find the person, choose views, one forward pass. Knows no vault and no names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.adapters import write_adapter
from runtime.contract.adapter import Adapter, PersonSource, check_adapter
from runtime.contract.clip import Clip
from runtime.contract.errors import ContentError, UsageError
from runtime.contract.serving import EnrolReport, EnrolRequest, PeopleNearest
from runtime.people.cluster import spread_views
from runtime.people.tokens import person_tokens
from runtime.people.views import PersonView
from runtime.session.evidence import write_jpeg
from runtime.session.models import Models
from runtime.session.observe import Observer
from runtime.session.sheet import contact_sheet
from runtime.video import MAX_CLIP_S, read_video

Floats = NDArray[np.float32]
ENROL_TOKENS = 64
KEPT_VIEWS = 16
_LOOKS, _FACES_PER_PERSON = 24, 16
_SURE_PERSON_VIEWS = 4
_FEW_VIEWS = 6
_GOOD_QUALITY = 0.5
_SMALL_SPREAD = {"head": 0.06, "face": 0.008}
_ALIKE = {"head": (0.85, 0.54), "face": (0.959, 0.938)}
"""Cosines of templates from which somebody enrolled is called very alike, and alike.

Heads: the same person in another rendered clip reaches 0.85 in the median, and 99 % of other people stay
below 0.54. Faces: distances 0.42 and 0.52, see `face_calibration`.
"""
_AGAIN = "Record 5 to 20 seconds of this person alone, facing the camera and turning slowly, in good light."


def enrol_from(
    models: Models, observer: Observer, request: EnrolRequest, others: Sequence[Adapter]
) -> EnrolReport:
    """Make and write an adapter; see `Session.enrol`.

    Args:
        others: adapters that are installed for other subjects.
    """
    spec = models.manifest.pixels
    video = read_video(request.path, fps=spec.window_fps, max_s=MAX_CLIP_S)
    seen = observer.observe(video.clip, looks=_LOOKS, per_track=_FACES_PER_PERSON, check=lambda: None)
    people = _people(seen.views, models.manifest.calibration.min_quality)
    if request.sheet_path is not None and people:
        write_jpeg(request.sheet_path, contact_sheet(video.clip.frames, people, video.clip.fps))
    mine = _pick(people, request, seen.source, bool(seen.views))
    kept = spread_views(_good(mine), KEPT_VIEWS)
    adapter = _adapter(models, request, video.clip, mine, kept, seen.source)
    write_adapter(request.adapter_path, adapter)
    nearest = _nearest(adapter, others, seen.source)
    quality = float(np.mean([view.quality for view in kept]))
    found = len(mine)
    return EnrolReport(
        subject_id=request.subject_id,
        release=request.release,
        source=seen.source,
        frames_used=len({view.frame for view in mine}),
        heads_found=found if seen.source == "head" else 0,
        faces_found=found if seen.source == "face" else 0,
        views=len(kept),
        people=len(people),
        quality=round(quality, 3),
        hints=_hints(kept, quality, nearest, seen.source),
        nearest=nearest,
        adapter_path=request.adapter_path,
        sheet_path=request.sheet_path,
    )


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
    clip: Clip,
    mine: Sequence[PersonView],
    kept: Sequence[PersonView],
    source: PersonSource,
) -> Adapter:
    shapes = models.manifest.shapes
    tokens = _reference_tokens(models, clip, spread_views(mine, ENROL_TOKENS))
    learned = models.engines["enrol"].run(tokens)
    k, d, r = shapes["K"], shapes["D"], shapes["R"]
    arrays = {
        "queries": learned["queries"],
        "soft_tokens": learned["soft_tokens"],
        "token": learned["token"],
        "delta_a": np.zeros((k, d, r), dtype=np.float32),
        "delta_b": np.zeros((k, r, d), dtype=np.float32),
        f"views.{source}": np.stack([view.embedding for view in kept]).astype(np.float32),
    }
    adapter = Adapter(request.subject_id, models.manifest.base, "instant", request.release, arrays)
    return check_adapter(adapter, base=models.manifest.base, shapes=shapes)


def _reference_tokens(models: Models, clip: Clip, views: Sequence[PersonView]) -> dict[str, Floats]:
    """The person tokens of a whole clip: time counts from the start of the window that a view is in."""
    spec, shapes = models.manifest.pixels, models.manifest.shapes
    window_s = spec.window_frames / spec.window_fps
    tokens = person_tokens(
        [replace(view, track=0, t_s=view.t_s % window_s) for view in views],
        frame_width=clip.frames.shape[2],
        frame_height=clip.frames.shape[1],
        spec=spec,
        capacity=ENROL_TOKENS,
        width=shapes["E"],
    )
    return {"person_embed": tokens.embed, "person_geom": tokens.geom, "person_valid": tokens.valid}


def _nearest(adapter: Adapter, others: Sequence[Adapter], source: PersonSource) -> PeopleNearest | None:
    mine = adapter.template(source)
    best: PeopleNearest | None = None
    for other in others:
        theirs = other.template(source)
        if mine is None or theirs is None:
            continue
        cosine = round(float(mine @ theirs), 4)
        if best is None or cosine > best.similarity:
            best = PeopleNearest(other.subject_id, cosine)
    return best


def _hints(
    kept: Sequence[PersonView], quality: float, nearest: PeopleNearest | None, source: PersonSource
) -> tuple[str, ...]:
    hints = []
    what = "face" if source == "face" else "head"
    if len(kept) < _FEW_VIEWS:
        hints.append(f"only {len(kept)} usable views: a longer clip would help.")
    if quality < _GOOD_QUALITY:
        hints.append(f"the {what} is small or blurred: come closer to the camera, or use more light.")
    embeddings = np.stack([view.embedding for view in kept])
    if len(kept) >= _FEW_VIEWS and float(1.0 - (embeddings @ embeddings.T).min()) < _SMALL_SPREAD[source]:
        hints.append("all views look alike: let the person turn to the left and to the right.")
    if nearest is not None:
        high, some = _ALIKE[source]
        if nearest.similarity >= some:
            risk = "high" if nearest.similarity >= high else "some"
            hints.append(f"{risk} risk of confusion with somebody already enrolled: expect more `unsure`.")
    return tuple(hints)
