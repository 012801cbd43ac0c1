"""The bridge: a Q-Former with ReMoH attention and one block of rows per subject (BLIP-2, PVChat).

Base rows look at the video. The subject is an extra batch axis: each subject's rows attend to the base rows
and to their own, never to another subject's, so one subject's evidence does not depend on who else is there.
Who a person token may be enters as an additive attention bias, scale x cosine(template, embedding): it works
for any embedding space, so the same weights serve rendered heads and real faces. Knows no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.model.remoh import RoutedAttention, Routing
from train.model.tracks import TrackMotion, same_track
from train.model.traits import TraitEvidence
from train.model.vision import nearness

GEOM_QUALITY, GEOM_TIME, GEOM_HEAD, GEOM_TRACK = 4, 7, 8, 10
_OFF = -1e4
HEAD_SHARP = 12.0
_PLACES = ((0.0, HEAD_SHARP), (2.2, 2.0), (4.5, 2.0))
"""Where a person token looks into its frame: head heights below the head's centre, and how sharply."""


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """Sizes: see the legend in runtime.contract.clip. `routed_from` is the first layer with a router."""

    dim: int = 192
    heads: int = 12
    layers: int = 4
    ffn: int = 384
    cross_every: int = 2
    routed_from: int = 2
    queries: int = 16
    scene_dim: int = 128
    scene_rows: int = 6
    scene_columns: int = 8
    frames: int = 8
    scene_times: int = 2
    embed_dim: int = 128
    geom_dim: int = 12
    signs_dim: int = 62
    language_dim: int = 192
    rank: int = 4
    trait_sizes: tuple[int, ...] = (5, 6, 8, 9, 3, 4, 4, 5, 3, 3)
    routing: Routing = field(default_factory=Routing)


@dataclass(frozen=True, slots=True)
class BridgeInputs:
    """A window as the bridge takes it, B windows at once.

    Attributes:
        scene: (B, T, P, Dv); scene_valid: (B,) 1 or 0.
        embed: (B, M, E); geom: (B, M, G); signs: (B, M, J); valid: (B, M).
        queries: (B, S, Q, D); templates: (B, S, E); subject_valid: (B, S).
        delta_a: (B, S, K, D, R); delta_b: (B, S, K, R, D).
    """

    scene: Tensor
    scene_valid: Tensor
    embed: Tensor
    geom: Tensor
    signs: Tensor
    valid: Tensor
    queries: Tensor
    templates: Tensor
    subject_valid: Tensor
    delta_a: Tensor
    delta_b: Tensor


@dataclass(frozen=True, slots=True)
class BridgeOutputs:
    """What the bridge says.

    Attributes:
        base_rows: (B, Q, Dl); subject_rows: (B, S, Q, Dl): inputs of the language model.
        presence: (B, S) raw score; match: (B, S, M) attention over person tokens, rows sum to 1.
        hidden: (B, S, Q, D) the subjects' rows before the projection.
        person: (B, M, D) person tokens as the rows see them.
        scores: router scores before the ReLU, one (..., routed) tensor a routed module.
    """

    base_rows: Tensor
    subject_rows: Tensor
    presence: Tensor
    match: Tensor
    hidden: Tensor
    person: Tensor
    scores: list[Tensor]


class Layer(nn.Module):
    """One post-norm layer: self-attention, cross-attention in some layers, feed-forward (as in BERT)."""

    def __init__(self, config: BridgeConfig, index: int) -> None:
        super().__init__()
        routing = config.routing if index >= config.routed_from else None
        self.self_attention = RoutedAttention(config.dim, config.heads, routing)
        self.self_norm = nn.LayerNorm(config.dim)
        self.cross_attention: RoutedAttention | None = None
        if index % config.cross_every == 0:
            self.cross_attention = RoutedAttention(config.dim, config.heads, routing)
            self.cross_norm = nn.LayerNorm(config.dim)
            self.identity_scale = nn.Parameter(torch.full((config.heads,), 8.0))
        self.fc1 = nn.Linear(config.dim, config.ffn)
        self.fc2 = nn.Linear(config.ffn, config.dim)
        self.ffn_norm = nn.LayerNorm(config.dim)

    def feed_forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        out: Tensor = self.ffn_norm(x + self.fc2(F.gelu(self.fc1(x))))
        return out


class Bridge(nn.Module):
    """Video and subjects to rows for the language model, presence and match."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        tokens = config.scene_rows * config.scene_columns
        self.base_queries = nn.Parameter(torch.randn(config.queries, dim) * 0.2)
        self.subject_queries = nn.Parameter(torch.randn(config.queries, dim) * 0.2)
        self.scene_in = nn.Linear(config.scene_dim, dim)
        self.scene_position = nn.Parameter(torch.randn(config.scene_times * tokens, dim) * 0.02)
        self.place_in = nn.Linear(len(_PLACES) * config.scene_dim, dim)
        self.motion = TrackMotion(config.signs_dim, config.geom_dim, config.frames, dim)
        self.embed_in = nn.Linear(config.embed_dim, dim, bias=False)
        self.geom_in = nn.Linear(config.geom_dim, dim)
        self.time = nn.Parameter(torch.randn(config.frames, dim) * 0.1)
        self.person_norm = nn.LayerNorm(dim)
        self.scene_norm = nn.LayerNorm(dim)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.layers))
        self.project_up = nn.Linear(dim, config.language_dim)
        self.match_scale = nn.Parameter(torch.tensor(16.0))
        self.presence_facts = nn.Linear(4, 1)
        self.traits = TraitEvidence(config.embed_dim, config.trait_sizes)
        last = nn.Linear(64, 1)
        self.presence_rows = nn.Sequential(nn.Linear(dim + 4, 64), nn.GELU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            self.presence_facts.weight.copy_(torch.tensor([[10.0, 0.0, 0.0, 0.0]]))
            self.presence_facts.bias.fill_(-5.0)
        columns, rows = torch.arange(config.scene_columns), torch.arange(config.scene_rows)
        cells = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).reshape(-1, 2) + 0.5
        size = torch.tensor([config.scene_columns, config.scene_rows])
        self.register_buffer("cells", cells / size, persistent=False)
        self.cells: Tensor

    def forward(self, inputs: BridgeInputs) -> BridgeOutputs:
        """Look at windows for subjects; see `BridgeInputs` for shapes."""
        cosine, quality, count = self.identity(inputs.templates, inputs.embed, inputs.geom, inputs.valid)
        agree = self.trait_evidence(inputs.templates, inputs.embed, inputs.geom, inputs.valid)
        person, scene = self.tokens(inputs)
        tokens = torch.cat([person, scene], dim=1)
        absent = torch.cat(
            [1 - inputs.valid, (1 - inputs.scene_valid)[:, None].expand(-1, scene.shape[1])], dim=1
        )
        closed = absent[:, None, None, :] * _OFF
        padded = F.pad(cosine, (0, scene.shape[1]))
        base = self.base_queries.expand(len(tokens), -1, -1)
        own = inputs.queries
        scores: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            base, own = self._layer(layer, index, base, own, tokens, closed, padded, inputs, scores)
        presence, match = self._presence(cosine, agree, quality, count, own, inputs)
        return BridgeOutputs(
            self.project_up(base), self.project_up(own), presence, match, own, person, scores
        )

    def identity(
        self, templates: Tensor, embed: Tensor, geom: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Cosine of each subject with each token's track (B, S, M); track quality and size (B, M).

        A track's embedding is the mean of its views, each weighing as much as its quality.
        """
        same = same_track(geom[..., GEOM_TRACK], valid)
        cosine = templates @ _track_mean(embed, geom, same).transpose(1, 2)
        quality = (same * geom[..., GEOM_QUALITY][:, None, :]).amax(dim=-1)
        return cosine, quality, same.sum(dim=-1) / self.config.frames

    def trait_evidence(self, templates: Tensor, embed: Tensor, geom: Tensor, valid: Tensor) -> Tensor:
        """Evidence (B, S, M) from single traits of heads; 0 for faces, whose embeddings hold other things."""
        mean = _track_mean(embed, geom, same_track(geom[..., GEOM_TRACK], valid))
        evidence: Tensor = self.traits(templates, mean) * geom[:, None, :, GEOM_HEAD]
        return evidence

    def tokens(self, inputs: BridgeInputs) -> tuple[Tensor, Tensor]:
        """What cross-attention sees: person tokens (B, M, D) and scene tokens (B, times * P, D)."""
        config, scene = self.config, inputs.scene
        geom = inputs.geom
        frame = (geom[..., GEOM_TIME] * config.frames).round().clamp(0, config.frames - 1)
        steps = torch.arange(config.frames, device=frame.device, dtype=frame.dtype)
        when = (frame[..., None] - steps).abs().lt(0.5).to(scene.dtype)
        in_domain = inputs.scene_valid[:, None, None]
        places = [
            self._look(geom[..., :2] + geom[..., 2:4] * geom.new_tensor([0.0, down]), scene, when, sharp)
            * in_domain
            for down, sharp in _PLACES
        ]
        same = same_track(geom[..., GEOM_TRACK], inputs.valid)
        motion = self.motion(inputs.signs * in_domain, geom, same, when)
        place = self.place_in(torch.cat(places, dim=-1))
        person = self.embed_in(inputs.embed) + self.geom_in(geom) + place + motion + when @ self.time
        person = self.person_norm(person) * inputs.valid[..., None]
        batch, frames, cells, width = scene.shape
        parts = scene.reshape(batch, config.scene_times, frames // config.scene_times, cells, width)
        halves = parts.mean(dim=2).flatten(1, 2)
        return person, self.scene_norm(self.scene_in(halves) + self.scene_position)

    def _look(self, points: Tensor, scene: Tensor, when: Tensor, sharp: float) -> Tensor:
        """Scene tokens around points (B, M, 2) in each token's own frame: (B, M, Dv)."""
        grid = (self.config.scene_rows, self.config.scene_columns)
        weight = nearness(points, self.cells, grid, sharp)
        spread = when[..., None] * weight[:, :, None, :]
        return spread.flatten(2) @ scene.flatten(1, 2)

    def _layer(
        self, layer: nn.Module, index: int, base: Tensor, own: Tensor, tokens: Tensor, closed: Tensor,
        cosine: Tensor, inputs: BridgeInputs, scores: list[Tensor],
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        if not isinstance(layer, Layer):
            raise TypeError(f"bridge layers are Layer, got {type(layer).__name__}")
        attention, subjects = layer.self_attention, own.shape[1]
        key, value = attention.split(attention.key(base)), attention.split(attention.value(base))
        own_key, own_value = attention.split(attention.key(own)), attention.split(attention.value(own))
        both_key = torch.cat([_per_subject(key, subjects), own_key], dim=-2)
        both_value = torch.cat([_per_subject(value, subjects), own_value], dim=-2)
        delta = (own @ inputs.delta_a[:, :, index]) @ inputs.delta_b[:, :, index]
        mixed, base_scores = attention(base, key, value, None)
        own_mixed, own_scores = attention(own, both_key, both_value, None, delta)
        base, own = layer.self_norm(base + mixed), layer.self_norm(own + own_mixed)
        scores += [score for score in (base_scores, own_scores) if score is not None]
        if layer.cross_attention is not None:
            cross = layer.cross_attention
            key, value = cross.split(cross.key(tokens)), cross.split(cross.value(tokens))
            bias = closed[:, None] + layer.identity_scale[:, None, None] * cosine[:, :, None, None, :]
            mixed, base_scores = cross(base, key, value, closed)
            own_mixed, own_scores = cross(own, key[:, None], value[:, None], bias)
            base, own = layer.cross_norm(base + mixed), layer.cross_norm(own + own_mixed)
            scores += [score for score in (base_scores, own_scores) if score is not None]
        return layer.feed_forward(base), layer.feed_forward(own)

    def _presence(
        self, cosine: Tensor, agree: Tensor, quality: Tensor, count: Tensor, own: Tensor, inputs: BridgeInputs
    ) -> tuple[Tensor, Tensor]:
        closed = (1 - inputs.valid)[:, None, :] * _OFF
        logits = self.match_scale * cosine + 2 * quality[:, None, :] + closed
        match = torch.softmax(logits, dim=-1)
        somebody = inputs.valid.amax(dim=-1)[:, None]
        best = (match * cosine).sum(dim=-1) * somebody
        of_best = [(match * fact[:, None, :]).sum(dim=-1) * somebody for fact in (quality, count)]
        facts = torch.stack([best, *of_best, somebody.expand_as(best)], dim=-1)
        rows = torch.cat([own.mean(dim=2), facts], dim=-1)
        score = (self.presence_facts(facts) + self.presence_rows(rows)).squeeze(-1)
        return score + (match * agree).sum(dim=-1) * somebody, match


def _track_mean(embed: Tensor, geom: Tensor, same: Tensor) -> Tensor:
    """(B, M, E): of each token's track, the unit mean of its views, each weighing as its quality."""
    mean = (same * (geom[..., GEOM_QUALITY] + 0.05)[:, None, :]) @ embed
    unit: Tensor = mean / ((mean * mean).sum(dim=-1, keepdim=True).sqrt() + 1e-6)
    return unit


def _per_subject(x: Tensor, subjects: int) -> Tensor:
    """(B, heads, L, d) to (B, S, heads, L, d)."""
    return x[:, None].expand(-1, subjects, -1, -1, -1)
