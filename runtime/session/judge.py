"""Evidence for each subject, as log-likelihood ratios. Knows no verdicts, no names and no files.

The evidence for one subject never depends on who else is installed; only the decision compares subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.contract.adapter import Adapter
from runtime.contract.errors import BundleError
from runtime.engines.base import Array
from runtime.people.cluster import mean_template
from runtime.people.cohort import face_likeness
from runtime.people.face_calibration import COLOURLESS_TRUST
from runtime.people.views import PersonView, clearest_of
from runtime.session.denials import after_denials
from runtime.session.models import Models
from runtime.session.observe import Observation, Window

Floats = NDArray[np.float32]
NOBODY = -1
_SLOT_COUNTS = (2, 4, 8)
_BEST_VIEWS = 4


@dataclass(frozen=True, slots=True)
class Installed:
    """A subject in the runtime: a checked adapter and the hash of its file.

    Attributes:
        rivals: people of whom the household said that they are not this one, as adapters.
    """

    adapter: Adapter
    sha256: str
    rivals: tuple[Adapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Evidence that a person in view is a subject.

    Attributes:
        person: number of the person in the observation; -1: nobody was found.
        llr: natural logarithm of the likelihood ratio, |llr| <= 12.
        view: the clearest view of whom the evidence is about; None with nobody.
        window: index of the observation's window, 0 for faces.
    """

    subject_id: str
    person: int
    llr: float
    view: PersonView | None
    window: int = 0


@dataclass(frozen=True, slots=True)
class BridgeRows:
    """What the bridge gives the language model for one window and some subjects.

    Attributes:
        base: float32 (Q, D); subjects: float32 (S, Q, D), in the order of the adapters.
    """

    base: Floats
    subjects: Floats


def claims_of(
    models: Models,
    observation: Observation,
    installed: Sequence[Installed],
    check: Callable[[], None] = lambda: None,
) -> list[Claim]:
    """Evidence for every installed subject that has views of this source; no claim for one that has none.

    Of several windows or persons each gives its own claim. Rivals of a subject only make that subject's
    evidence weaker.
    """
    source = observation.source
    able = [one for one in installed if len(one.adapter.views(source))]
    mine = _claims(models, observation, [one.adapter for one in able], check)
    rivals = [rival for one in able for rival in one.rivals if len(rival.views(source))]
    if not rivals:
        return mine
    against: dict[tuple[str, int, int], list[float]] = {}
    for claim in _claims(models, observation, rivals, check):
        against.setdefault((claim.subject_id, claim.person, claim.window), []).append(claim.llr)
    return [
        replace(claim, llr=after_denials(claim.llr, against.get(_about(claim), [])))
        if claim.person != NOBODY
        else claim
        for claim in mine
    ]


def _about(claim: Claim) -> tuple[str, int, int]:
    return claim.subject_id, claim.person, claim.window


def _claims(
    models: Models, observation: Observation, adapters: Sequence[Adapter], check: Callable[[], None]
) -> list[Claim]:
    if observation.source == "face":
        return _face_claims(models, observation, adapters)
    claims: list[Claim] = []
    for number, window in enumerate(observation.windows):
        for start in range(0, len(adapters), _SLOT_COUNTS[-1]):
            check()
            claims += _bridge_claims(models, window, number, adapters[start : start + _SLOT_COUNTS[-1]])
    return claims


def rows_of(models: Models, window: Window, adapters: Sequence[Adapter]) -> BridgeRows:
    """The bridge's rows for the language model, about 1 to 8 subjects."""
    outputs = run_bridge(models, window, adapters)
    return BridgeRows(outputs["base_rows"], outputs["subject_rows"][: len(adapters)])


def run_bridge(models: Models, window: Window, adapters: Sequence[Adapter]) -> dict[str, Array]:
    """The bridge's outputs; subjects are padded to 2, 4 or 8 slots, row i is adapter i."""
    inputs = {
        "scene": window.scene,
        "scene_valid": np.ones(1, dtype=np.float32),
        "person_embed": window.tokens.embed,
        "person_geom": window.tokens.geom,
        "person_valid": window.tokens.valid,
        **sign_inputs(window.tokens.signs),
        **subject_inputs(adapters, models.manifest.shapes),
    }
    return models.engines["bridge"].run(inputs)


def sign_inputs(signs: Floats) -> dict[str, Floats]:
    """The bridge's input of signs (M, J); a bundle without a body encoder (J = 0) has none."""
    return {"person_signs": signs} if signs.shape[1] else {}


def subject_inputs(
    adapters: Sequence[Adapter], shapes: dict[str, int], slots: int | None = None
) -> dict[str, Floats]:
    """Adapters as the bridge's inputs, zeros and valid 0 in slots that nobody has.

    Args:
        adapters: at most 8.
        slots: S; None: the smallest of 2, 4 and 8 that holds them.
    """
    if slots is None:
        slots = next((count for count in _SLOT_COUNTS if count >= len(adapters)), 0)
    if slots < len(adapters):
        raise BundleError(f"the bridge takes at most {_SLOT_COUNTS[-1]} subjects, got {len(adapters)}.")
    q, d, e, k, r = (shapes[letter] for letter in ("Q", "D", "E", "K", "R"))
    inputs = {
        "queries": np.zeros((slots, q, d), dtype=np.float32),
        "templates": np.zeros((slots, e), dtype=np.float32),
        "subject_valid": np.zeros(slots, dtype=np.float32),
        "delta_a": np.zeros((slots, k, d, r), dtype=np.float32),
        "delta_b": np.zeros((slots, k, r, d), dtype=np.float32),
    }
    for slot, adapter in enumerate(adapters):
        for name in ("queries", "delta_a", "delta_b"):
            inputs[name][slot] = adapter.arrays[name]
        template = adapter.template("head")
        if template is not None:
            inputs["templates"][slot] = template
        inputs["subject_valid"][slot] = 1.0
    return inputs


def _bridge_claims(models: Models, window: Window, number: int, adapters: Sequence[Adapter]) -> list[Claim]:
    if not adapters:
        return []
    calibration = models.calibration("head")
    views = window.tokens.views
    if not views:
        return [Claim(one.subject_id, NOBODY, calibration.nobody, None, number) for one in adapters]
    outputs = run_bridge(models, window, adapters)
    claims = []
    for slot, adapter in enumerate(adapters):
        matched = views[int(np.argmax(outputs["match"][slot, : len(views)]))]
        view = clearest_of(views, matched.track)
        llr = calibration.llr(float(outputs["presence"][slot]), view.quality)
        claims.append(Claim(adapter.subject_id, window.people[view.track], llr, view, number))
    return claims


def _face_claims(models: Models, observation: Observation, adapters: Sequence[Adapter]) -> list[Claim]:
    """Every person against every subject: mean of the person's best views to template and nearest view."""
    calibration = models.calibration("face")
    trust = COLOURLESS_TRUST if observation.colourless else 1.0
    claims = []
    for person in sorted({view.track for view in observation.views}):
        views = sorted((v for v in observation.views if v.track == person), key=lambda v: -v.quality)
        best = views[:_BEST_VIEWS]
        mean = mean_template(best)[None]
        for adapter in adapters:
            known = adapter.views("face")
            template = adapter.template("face")
            if template is None:
                continue
            alike = float(face_likeness(mean, np.concatenate([known, template[None]])).max())
            llr = trust * calibration.llr(alike, best[0].quality)
            claims.append(Claim(adapter.subject_id, person, llr, best[0]))
    return claims
