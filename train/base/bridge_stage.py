"""Stage C: bridge and enrolment on episodes of frozen tokens. Knows no pixels and no language.

Presence is learned as a log-likelihood ratio (binary cross-entropy at equal priors); linear read-outs of
single rows make the rows hold what a description needs. ReMoH's SPR and HAE keep the routed heads half busy.
Before all that the person tokens alone learn to tell what their track shows (`token_loss`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.base.episodes import FACTS, Episode, EpisodeMaker
from train.base.world_data import ACTION_NAMES, COLOUR_NAMES
from train.losses import RoutingLoss
from train.model.bridge import Bridge, BridgeInputs, BridgeOutputs
from train.model.enrol import Enrol
from train.rates import best_accuracy
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, ROOM_KINDS, TOP_KINDS

FACT_SIZES = (
    len(ACTION_NAMES), len(ROOM_KINDS), len(COLOUR_NAMES), len(TOP_KINDS), len(BOTTOM_COLOURS),
    len(BOTTOM_KINDS),
)  # fmt: skip


def enrol_subjects(enrol: Enrol, episode: Episode) -> tuple[Tensor, Tensor, Tensor]:
    """Instant adapters: queries (B, S, Q, D), soft tokens (B, S, W, Dl), token (B, S, Dl)."""
    shape = episode.ref_valid.shape[:2]
    parts = enrol(
        episode.ref_embed.flatten(0, 1), episode.ref_geom.flatten(0, 1), episode.ref_valid.flatten(0, 1)
    )
    queries, soft, token = (part.view(*shape, *part.shape[1:]) for part in parts)
    return queries, soft, token


def run_bridge(bridge: Bridge, episode: Episode, queries: Tensor) -> BridgeOutputs:
    """The bridge over an episode, low-rank changes at zero."""
    out: BridgeOutputs = bridge(_inputs(bridge, episode, queries))
    return out


def _inputs(bridge: Bridge, episode: Episode, queries: Tensor) -> BridgeInputs:
    batch, subjects = episode.present.shape
    config = bridge.config
    delta = (batch, subjects, config.layers)
    return BridgeInputs(
        scene=episode.scene,
        scene_valid=episode.scene_valid,
        embed=episode.embed,
        geom=episode.geom,
        signs=episode.signs,
        valid=episode.valid,
        queries=queries,
        templates=episode.templates,
        subject_valid=torch.ones(batch, subjects),
        delta_a=torch.zeros(*delta, config.dim, config.rank),
        delta_b=torch.zeros(*delta, config.rank, config.dim),
    )


class BridgeStage(nn.Module):
    """Bridge, enrolment, routing losses and the read-outs that only training needs."""

    def __init__(
        self, bridge: Bridge, enrol: Enrol, maker: EpisodeMaker, *, batch: int, subjects: int, seed: int,
        routing: RoutingLoss | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.bridge, self.enrol, self.maker = bridge, enrol, maker
        self.batch, self.subjects, self.seed = batch, subjects, seed
        self.routing = routing or RoutingLoss()
        self.readouts = nn.ModuleList(nn.Linear(bridge.config.dim, size) for size in FACT_SIZES)
        self.token_readouts = nn.ModuleList(nn.Linear(bridge.config.dim, size) for size in FACT_SIZES)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step`; the episode depends on seed and step alone."""
        episode = self.maker.draw(np.random.default_rng((self.seed, 30, step)), self.batch, self.subjects)
        queries, _, _ = enrol_subjects(self.enrol, episode)
        out = run_bridge(self.bridge, episode, queries)
        return {
            **self.presence_loss(out, episode),
            **self.fact_loss(out, episode),
            **self.routing(out.scores),
        }

    def token_loss(self, step: int) -> dict[str, Tensor]:
        """Losses of step `step` of the person tokens alone: no subject and no attention."""
        rng = np.random.default_rng((self.seed, 29, step))
        episode = self.maker.draw(rng, self.batch, 1)
        none = torch.zeros(self.batch, 1, self.bridge.config.queries, self.bridge.config.dim)
        person, _ = self.bridge.tokens(_inputs(self.bridge, episode, none))
        return {
            name: _entropy(readout(person), episode.token_facts[..., index])
            for index, (name, readout) in enumerate(zip(FACTS, self.token_readouts, strict=True))
            if name != "room"
        }

    def presence_loss(self, out: BridgeOutputs, episode: Episode) -> dict[str, Tensor]:
        """Binary cross-entropy of presence, where it can be told, each class weighing the same."""
        there = episode.present
        share = there.mean().clamp(0.1, 0.9)
        weight = episode.told * torch.where(there > 0, 0.5 / share, 0.5 / (1 - share))
        loss = F.binary_cross_entropy_with_logits(out.presence, there, weight=weight)
        return {"presence": loss}

    def fact_loss(self, out: BridgeOutputs, episode: Episode) -> dict[str, Tensor]:
        """Cross-entropy of each fact, where it is visible: from its own row, and from the person's tokens."""
        losses: dict[str, Tensor] = {}
        of_tokens = out.person.new_zeros(())
        for index, (name, row, token) in enumerate(
            zip(FACTS, self.readouts, self.token_readouts, strict=True)
        ):
            losses[name] = 0.2 * _entropy(row(out.hidden[:, :, index]), episode.facts[..., index])
            if name != "room":
                of_tokens = of_tokens + _entropy(token(out.person), episode.token_facts[..., index])
        return {**losses, "tokens": 0.3 * of_tokens}


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean cross-entropy of (B, N, classes) where `wanted` (B, N) is not -1; 0 where it is nowhere."""
    loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=-1)
    return torch.nan_to_num(loss)


@torch.no_grad()
def score_episodes(stage: BridgeStage, maker: EpisodeMaker, *, batches: int, seed: int) -> dict[str, float]:
    """Accuracy of presence and facts on fresh episodes, and of the plain cosine beside it.

    The plain baseline is the best track's cosine with the template at its best threshold, same episodes.
    """
    stage.eval()
    names = [*FACTS, *(f"{name}_of_tokens" for name in FACTS)]
    right = {name: [0, 0] for name in names}
    scores, plain, labels = [], [], []
    for index in range(batches):
        episode = maker.draw(np.random.default_rng((seed, 31, index)), 64, stage.subjects)
        queries, _, _ = enrol_subjects(stage.enrol, episode)
        out = run_bridge(stage.bridge, episode, queries)
        cosine, _, _ = stage.bridge.identity(episode.templates, episode.embed, episode.geom, episode.valid)
        best = (cosine - 9 * (1 - episode.valid[:, None, :])).amax(dim=-1)
        told = episode.told > 0
        scores.append(out.presence[told])
        plain.append(best[told])
        labels.append(episode.present[told])
        for column, name in enumerate(FACTS):
            row, token = stage.readouts[column], stage.token_readouts[column]
            _count(right[name], row(out.hidden[:, :, column]), episode.facts[..., column])
            _count(right[f"{name}_of_tokens"], token(out.person), episode.token_facts[..., column])
    stage.train()
    present = torch.cat(labels).numpy() > 0
    return {
        "presence": best_accuracy(torch.cat(scores).numpy(), present),
        "plain_cosine": best_accuracy(torch.cat(plain).numpy(), present),
        **{name: hit / count for name, (hit, count) in right.items() if count},
    }


def _count(right: list[int], logits: Tensor, wanted: Tensor) -> None:
    """Count hits of logits (B, N, classes) among the facts `wanted` (B, N) that are known, and these."""
    right[0] += int(((logits.argmax(dim=-1) == wanted) & (wanted >= 0)).sum())
    right[1] += int((wanted >= 0).sum())
