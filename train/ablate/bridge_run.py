"""One bridge, trained for a while from one seed and measured on people it never saw. Knows no tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from train.ablate.variants import BridgeVariant
from train.base.bridge_stage import BridgeStage, enrol_subjects, run_bridge, score_episodes
from train.base.config import BaseConfig
from train.base.episodes import EpisodeMaker
from train.base.features import Features
from train.base.world_data import WorldData
from train.fit import FitConfig, fit
from train.losses import RoutingLoss
from train.model.bridge import Bridge, BridgeConfig
from train.model.enrol import Enrol, EnrolConfig
from train.model.pvchat import ModelConfig
from train.model.remoh import Router
from train.rates import cllr, min_cllr

_SHARED = ("motion.", "place_in.", "embed_in.", "geom_in.", "time", "person_norm.", "traits.")
"""Parts of the bridge that the stage `tracks` has trained: every variant starts from the same ones."""
_BATCH = 64
_CLOTHES = range(2, 6)
"""Numbers of the facts that are clothes."""
_FACTS = ("action", "room", "top", "kind", "bottom", "bottom_kind")
Evidence = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What all runs share: frozen features, who is trained on, the stage `tracks`, and how much is measured.

    Attributes:
        batches: of 64 episodes of people held out.
    """

    config: BaseConfig
    data: WorldData
    features: Features
    tracks: Path
    batches: int = 24

    def maker(self, *, held_out: bool, token_only: float) -> EpisodeMaker:
        """Episodes of people to train on, or of those held out."""
        world = self.config.world
        first = world.identities - world.held_out
        low, high = (first, world.identities) if held_out else (0, first)
        return EpisodeMaker(
            self.data, self.features, first=low, last=high, clips_each=world.clips_each, token_only=token_only
        )


def sized(model: ModelConfig, variant: BridgeVariant) -> tuple[BridgeConfig, EnrolConfig]:
    """The sizes of bridge and enrolment for a variant."""
    bridge = replace(model.bridge, routing=variant.routing, queries=variant.queries)
    return bridge, replace(model.enrol, queries=variant.queries)


def new_stage(ground: Ground, variant: BridgeVariant, seed: int) -> BridgeStage:
    """A bridge of this variant with fresh weights, but for the parts that all share."""
    torch.manual_seed(seed)
    sizes, enrol_sizes = sized(ground.config.model, variant)
    bridge, enrol = Bridge(sizes), Enrol(enrol_sizes)
    modules = sum(isinstance(module, Router) for module in bridge.modules())
    own = variant.form in ("per_module", "published")
    routing = RoutingLoss(
        variant.form, modules=modules if own else 1, sparsity=variant.sparsity, activation=variant.activation,
        top=variant.routing.top,
    )  # fmt: skip
    stage = BridgeStage(
        bridge, enrol, ground.maker(held_out=False, token_only=ground.config.token_only),
        batch=ground.config.bridge.batch, subjects=2, seed=seed, routing=routing,
    )  # fmt: skip
    start = "model.bridge."
    kept = {
        name.removeprefix(start): tensor
        for name, tensor in load_file(ground.tracks).items()
        if name.startswith(start) and name.removeprefix(start).startswith(_SHARED)
    }
    bridge.load_state_dict(kept, strict=False)
    bridge.traits.read.requires_grad_(False)
    return stage


def run_variant(
    ground: Ground, variant: BridgeVariant, seed: int, steps: int, report: Callable[[int, int], None]
) -> dict[str, float]:
    """Train and measure: presence, facts read from rows, and how many routed heads fire."""
    stage = new_stage(ground, variant, seed)
    settings = FitConfig(steps=steps, learning_rate=ground.config.bridge.fit.learning_rate, warmup_steps=50)
    stage.train()
    fit(
        stage, [(stage, 1.0)], stage.loss, settings, after_step=stage.routing.after_step,
        progress=lambda step, _means, _seconds: report(step, steps),
    )  # fmt: skip
    return measure(stage, ground, seed)


@torch.no_grad()
def measure(stage: BridgeStage, ground: Ground, seed: int) -> dict[str, float]:
    """Figures on episodes of people held out; a logistic calibration is fitted on half of the families."""
    stage.eval()
    maker = ground.maker(held_out=True, token_only=0.0)
    scored = score_episodes(stage, maker, batches=ground.batches, seed=seed)
    evidence = collect(stage.eval(), maker, seed, ground.batches)
    present = evidence["present"] > 0
    fitting = evidence["family"] % 2 == 0
    llr = calibrated(evidence["presence"], present, fitting)
    held = ~fitting
    return {
        "presence": scored["presence"],
        "cllr": cllr(llr[held & present], llr[held & ~present]),
        "min_cllr": min_cllr(llr[held & present], llr[held & ~present]),
        "facts": float(np.mean([scored[name] for name in _FACTS])),
        "action": scored["action"],
        "active": float(evidence["active"].mean()),
    }


@torch.no_grad()
def collect(stage: BridgeStage, maker: EpisodeMaker, seed: int, batches: int) -> Evidence:
    """Of windows with one subject each: every piece of evidence on its own, (N,) each.

    `presence` is the bridge's score; `traits` its share that single traits bring; `cosine` the best track's
    cosine with the template; `knn` the best view's with the nearest view of the reference clip. Without
    anybody's adapter: `frames` is the cosine of the base's rows of the two clips, `description` how far what
    is read of clothes agrees. `active` is the share of routed heads that fire on the subject's rows.
    """
    found: dict[str, list[Tensor]] = {}
    for index in range(batches):
        episode = maker.draw(np.random.default_rng((seed, 33, index)), _BATCH, 1)
        queries, _, _ = enrol_subjects(stage.enrol, episode)
        out = run_bridge(stage.bridge, episode, queries)
        told = episode.told[:, 0] > 0
        closed = 9 * (1 - episode.valid)
        agree = stage.bridge.trait_evidence(episode.templates, episode.embed, episode.geom, episode.valid)
        cosine, _, _ = stage.bridge.identity(episode.templates, episode.embed, episode.geom, episode.valid)
        views = episode.ref_embed[:, 0] @ episode.embed.transpose(1, 2) - closed[:, None, :]
        views = views - 9 * (1 - episode.ref_valid[:, 0, :, None])
        somebody = episode.valid.amax(dim=-1)
        reference = maker.at(
            np.random.default_rng((seed, 35, index)),
            episode.subjects[:, 0] * maker.clips_each,
            episode.subjects,
        )
        before = run_bridge(stage.bridge, reference, queries)
        rows = {
            "presence": out.presence[:, 0],
            "traits": (out.match * agree).sum(dim=-1)[:, 0] * somebody,
            "cosine": (cosine[:, 0] - closed).amax(dim=-1),
            "knn": views.flatten(1).amax(dim=-1),
            "frames": F.cosine_similarity(before.base_rows.flatten(1), out.base_rows.flatten(1)),
            "description": _agreement(stage, before.person, reference.valid, out.person, episode.valid),
            "present": episode.present[:, 0],
            "family": torch.from_numpy(episode.subjects[:, 0] // 2).float(),
            "active": _active(out.scores, len(told)),
        }
        for name, values in rows.items():
            found.setdefault(name, []).append(values[told])
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def _agreement(
    stage: BridgeStage, one: Tensor, one_valid: Tensor, other: Tensor, other_valid: Tensor
) -> Tensor:
    """(B,) mean over four slots of ln P(both tokens wear the same), for the tokens that agree best."""
    shared = one.new_zeros(len(one), one.shape[1], other.shape[1])
    for index in _CLOTHES:
        readout = stage.token_readouts[index]
        a, b = torch.softmax(readout(one), dim=-1), torch.softmax(readout(other), dim=-1)
        shared = shared + torch.log(a @ b.transpose(1, 2) + 1e-4) / len(_CLOTHES)
    closed = 99 * (2 - one_valid[:, :, None] - other_valid[:, None, :])
    return (shared - closed).flatten(1).amax(dim=-1).clamp(min=-10.0)


def _active(scores: Sequence[Tensor], batch: int) -> Tensor:
    """(B,) share of routed heads that fire on the subject's rows, over all modules; 0 without routing."""
    own = [score for score in scores if score.dim() == 4]
    if not own:
        return torch.zeros(batch)
    return torch.stack([(score > 0).float().mean(dim=(1, 2, 3)) for score in own]).mean(dim=0)


def calibrated(
    scores: NDArray[np.float32], present: NDArray[np.bool_], fitting: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Log-likelihood ratios: a x score + b, fitted on some trials at equal weights of both classes."""
    with torch.enable_grad():
        x = torch.from_numpy(scores[fitting].astype(np.float32))
        y = torch.from_numpy(present[fitting].astype(np.float32))
        weight = torch.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
        theta = torch.tensor([1.0, 0.0], requires_grad=True)
        optimiser = torch.optim.LBFGS([theta], max_iter=100, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = F.binary_cross_entropy_with_logits(theta[0] * x + theta[1], y, weight=weight)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
    scale, bias = (float(value) for value in theta.detach())
    return np.asarray(scores * scale + bias, dtype=np.float32)
