"""Stage E: from presence scores to log-likelihood ratios, on people no stage has seen. Knows no training.

Held-out people are enrolled from their reference clip and asked about in other clips (other clothes, room,
light, night, occlusion), in clips of their look-alike and in clips of strangers, through detection and
tracking as on the box. Half of the people fit a logistic calibration (Platt, 1999), half measure it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from runtime.contract.calibration import Calibration, SourceCalibration
from runtime.contract.pixels import PixelSpec
from runtime.people.cluster import spread_views
from runtime.people.views import PersonTokens
from train.base.config import WorldConfig
from train.base.rates import best_accuracy
from train.base.world_data import cast_of, sample_people
from train.model.pvchat import PVChat
from train.windows import (
    REFERENCE_TOKENS,
    EncodedWindow,
    bridge_inputs,
    encode_window,
    look,
    mean_template,
    pack,
)
from train.world.scene import render_frames
from train.world.script import Script
from train.world.sight import decidable, recognisable, sights
from train.world.traits import differing_traits

ACCEPT, REJECT, PRIOR = 0.9, 0.1, 0.5
_CASE_SHARES = {"present": 0.5, "lookalike": 0.15, "stranger": 0.35}
Floats = NDArray[np.float32]
_VIEWS = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """One question of existence.

    Attributes:
        who: identity asked about; case: present, lookalike or stranger.
        told: whether what tells the answer is visible, by the world's own rule.
        score: raw presence; cosine: plain baseline; quality: of the best token, 0..1.
        distance: domain distance of the window.
    """

    who: int
    case: str
    told: bool
    score: float
    cosine: float
    quality: float
    distance: float


@dataclass(frozen=True, slots=True)
class Scene:
    """A clip of the set through the encoders: its window, its script, and who is in it."""

    window: EncodedWindow
    script: Script
    cast: list[int]


@dataclass(frozen=True, slots=True)
class Reference:
    """What enrolment gets of a reference clip: padded tokens and the unit mean of the good views."""

    tokens: PersonTokens
    template: Floats


class HeldOut:
    """Clips of people that no stage has seen, rendered and encoded once; only the frozen encoders matter."""

    def __init__(self, model: PVChat, config: WorldConfig) -> None:
        self.model, self.config = model, config
        self.identities = sample_people(config)
        self.first = config.identities - config.held_out
        self.spec = PixelSpec()
        self._scenes: dict[int, Scene] = {}
        self._references: dict[int, Reference | None] = {}

    def scene(self, clip: int) -> Scene:
        """The training window of a clip, at full size through detection and tracking."""
        if clip not in self._scenes:
            cast, script = cast_of(self.config, self.identities, clip)
            rng = np.random.default_rng((self.config.seed, 3, clip))
            begin = float(rng.uniform(0, max(0.0, script.duration_s - 2.0)))
            frames, _ = render_frames(script, [begin + step / self.spec.window_fps for step in range(8)])
            self._scenes[clip] = Scene(encode_window(self.model, frames, self.spec), script, cast)
        return self._scenes[clip]

    def reference(self, who: int) -> Reference | None:
        """The reference clip of a person; None where nobody is found in it."""
        if who not in self._references:
            self._references[who] = self._look(who)
        return self._references[who]

    def _look(self, who: int) -> Reference | None:
        _, script = cast_of(self.config, self.identities, who * self.config.clips_each)
        frames, _ = render_frames(script, [step / self.spec.window_fps for step in range(9)])
        _, views = look(self.model, frames, self.spec, self.spec.window_fps)
        if not views:
            return None
        best = max(view.quality for view in views)
        good = [view for view in views if view.quality >= best / 2]
        tokens = pack(
            spread_views(views, REFERENCE_TOKENS), frames, self.spec, REFERENCE_TOKENS,
            self.model.head.config.dim,
        )  # fmt: skip
        return Reference(tokens, mean_template(spread_views(good, _VIEWS)))


def run_trials(held: HeldOut, *, people: int, progress: Callable[[int, int], None]) -> list[Trial]:
    """Ask about held-out people; each in own clips, the look-alike's, and a stranger's."""
    config, first = held.config, held.first
    trials: list[Trial] = []
    for number in range(people):
        who = first + number
        reference = held.reference(who)
        progress(number + 1, people)
        if reference is None:
            continue
        stranger = first + (number + 11) % config.held_out
        for case, owner in (("present", who), ("lookalike", who ^ 1), ("stranger", stranger)):
            for turn in range(1, config.clips_each):
                scene = held.scene(owner * config.clips_each + turn)
                if (who in scene.cast) is (case == "present"):
                    told = _told(held, who, scene)
                    trials.append(_trial(held.model, who, case, told, scene.window, reference))
    return trials


def _told(held: HeldOut, who: int, scene: Scene) -> bool:
    """Whether a careful observer could tell: enough of the person, or a difference to everybody in view."""
    seen = sights(scene.script)
    if who in scene.cast:
        return recognisable(seen[scene.script.people[scene.cast.index(who)].person_id].traits)
    return all(
        decidable(
            seen[person.person_id].traits, differing_traits(held.identities[who], held.identities[other])
        )
        for person, other in zip(scene.script.people, scene.cast, strict=True)
    )


@torch.no_grad()
def _trial(
    model: PVChat, who: int, case: str, told: bool, window: EncodedWindow, reference: Reference
) -> Trial:
    tokens = reference.tokens
    queries, _, _ = model.enrol(
        *(torch.from_numpy(part)[None] for part in (tokens.embed, tokens.geom, tokens.valid))
    )
    queries, template = queries[None], torch.from_numpy(reference.template)[None, None]
    config = model.bridge.config
    deltas = (1, 1, config.layers)
    out = model.bridge(
        bridge_inputs(
            [window], queries, template,
            torch.zeros(*deltas, config.dim, config.rank), torch.zeros(*deltas, config.rank, config.dim),
        )
    )  # fmt: skip
    views = window.tokens.views
    cosine, _, _ = model.bridge.identity(
        template[0],
        *(
            torch.from_numpy(part)[None]
            for part in (window.tokens.embed, window.tokens.geom, window.tokens.valid)
        ),
    )
    best = int(out.match[0, 0, : len(views)].argmax()) if views else -1
    return Trial(
        who=who,
        case=case,
        told=told,
        score=float(out.presence[0, 0]),
        cosine=float(cosine[0, 0, : len(views)].max()) if views else -1.0,
        quality=views[best].quality if views else 0.0,
        distance=float(model.domain_distance(torch.from_numpy(window.scene)[None])[0]),
    )


def fit_calibration(trials: list[Trial], provenance: str) -> SourceCalibration:
    """Logistic regression of presence on score and quality (Platt, 1999), on trials that can be told.

    Present weighs as much as absent; of the absent, look-alikes weigh less: they are rarer than strangers.
    """
    told = [trial for trial in trials if trial.told]
    x = torch.tensor([[t.score, t.quality, 1.0] for t in told])
    y = torch.tensor([float(t.case == "present") for t in told])
    weight = torch.zeros(len(told))
    for case, share in _CASE_SHARES.items():
        of_case = torch.tensor([t.case == case for t in told])
        weight[of_case] = share / max(1.0, float(of_case.sum()))
    theta = torch.tensor([1.0, 0.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        each = F.binary_cross_entropy_with_logits(x @ theta, y, reduction="none")
        loss = (weight * each).sum() + 1e-4 * theta[:2].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    scale, quality_scale, bias = (float(value) for value in theta.detach())
    return SourceCalibration(round(scale, 4), round(bias, 4), round(quality_scale, 4), provenance)


def calibrate(trials: list[Trial]) -> tuple[Calibration, dict[str, float]]:
    """Fit on even families, measure on odd ones (a person and the look-alike are one family)."""
    fitting = [t for t in trials if (t.who // 2) % 2 == 0]
    held = [t for t in trials if (t.who // 2) % 2 == 1]
    source = fit_calibration(
        fitting, f"{len(fitting)} cross-clip trials of {len({t.who for t in fitting})} rendered people"
    )
    limit = float(np.quantile([t.distance for t in trials], 0.999)) * 2.0
    calibration = Calibration(
        sources={"bridge": source}, prior=PRIOR, accept=ACCEPT, reject=REJECT, min_quality=0.2,
        domain_limit=round(limit, 3),
    )  # fmt: skip
    return calibration, measure(held, calibration)


def measure(trials: list[Trial], calibration: Calibration) -> dict[str, float]:
    """Rates on decidable trials, Cllr of all, and the plain cosine at its best threshold beside it."""
    source = calibration.sources["bridge"]
    told = [t for t in trials if t.told]
    verdicts = [
        (t.case, calibration.verdict(calibration.probability(source.llr(t.score, t.quality)))) for t in told
    ]

    def rate(case: str, verdict: str) -> float:
        of_case = [v for c, v in verdicts if c == case]
        return round(sum(v == verdict for v in of_case) / max(1, len(of_case)), 4)

    llr = np.asarray([source.llr(t.score, t.quality) for t in trials])
    cosine = np.asarray([t.cosine for t in trials])
    present = np.asarray([t.case == "present" for t in trials])
    return {
        "people": float(len({t.who for t in trials})),
        "trials": float(len(trials)),
        "decidable": float(len(told)),
        "present_yes": rate("present", "yes"),
        "present_unsure": rate("present", "unsure"),
        "lookalike_yes": rate("lookalike", "yes"),
        "lookalike_unsure": rate("lookalike", "unsure"),
        "stranger_yes": rate("stranger", "yes"),
        "stranger_unsure": rate("stranger", "unsure"),
        "cllr": round(cllr(llr[present], llr[~present]), 4),
        "balanced_accuracy": round(best_accuracy(llr, present), 4),
        "balanced_accuracy_cosine": round(best_accuracy(cosine, present), 4),
    }


def cllr(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """Cost of log-likelihood ratios in bits (Brummer and du Preez, 2006); 1 for no information."""
    cost = np.logaddexp(0, -same).mean() + np.logaddexp(0, different).mean()
    return float(cost / (2 * np.log(2)))
