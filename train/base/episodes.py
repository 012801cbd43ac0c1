"""Episodes: a window, one to three enrolled people, and what is true. Knows no network's inside.

A subject is enrolled from the reference clip alone. A share of the episodes is token-only: scene tokens are
dropped and embeddings are simulated from random vectors (session shift, noise that grows as quality falls,
correlated look-alikes), so that the bridge learns to match in any embedding space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.people.tokens import GEOM
from train.base.features import Features
from train.base.world_data import ACTION_NAMES, BOX_NOISE, SLOTS, WorldData
from train.world.sight import HAND_ACTIONS, MIN_GARMENT_VISIBLE

MIN_SEEN = 0.3
REFERENCE_TOKENS = 64
WINDOW_TOKENS = 32
_ENOUGH = 0.5
"""What is seen in this share of a window's frames can be told."""
_HAND = 4
"""The right hand's number among the joints."""
_Tokens = tuple[
    NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]
]
"""Embeddings, geometry, signs, valid and slot of each person token."""
FACTS: tuple[str, ...] = ("action", "room", "top", "kind", "bottom", "bottom_kind")


@dataclass(frozen=True, slots=True)
class Episode:
    """B windows with S subjects each.

    Attributes:
        clips: which clip each window is, (B,).
        subjects: identity of each subject, (B, S).
        scene, scene_valid, embed, geom, signs, valid: the windows, as in `BridgeInputs`.
        templates: (B, S, E); ref_embed (B, S, N, E), ref_geom (B, S, N, G), ref_valid (B, S, N).
        present: (B, S) 1 or 0; told: (B, S) 0 where the subject is there and no head of theirs is in view.
        facts: (B, S, 6) class of each of `FACTS`; -1 where absent or not visible.
        token_facts: (B, M, 6) the same of whom each person token shows.
    """

    clips: NDArray[np.int64]
    subjects: NDArray[np.int64]
    scene: Tensor
    scene_valid: Tensor
    embed: Tensor
    geom: Tensor
    signs: Tensor
    valid: Tensor
    templates: Tensor
    ref_embed: Tensor
    ref_geom: Tensor
    ref_valid: Tensor
    present: Tensor
    told: Tensor
    facts: Tensor
    token_facts: Tensor


class EpisodeMaker:
    """Draws episodes among the people `first` to `last` - 1."""

    def __init__(
        self,
        data: WorldData,
        features: Features,
        *,
        first: int,
        last: int,
        clips_each: int,
        token_only: float,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        """Args: allowed: bool (N,), of all clips those that may be drawn; None: all of these people's."""
        self.data, self.features = data, features
        self.first, self.last, self.clips_each, self.token_only = first, last, clips_each, token_only
        clips = np.arange(first * clips_each, last * clips_each)
        self.clips = clips if allowed is None else clips[allowed[clips]]
        truth = data.truth
        self.who = truth["who"].astype(np.int64)
        self.in_view = (self.who[:, None, :] >= 0) & (truth["seen"] > MIN_SEEN)
        self.top_in_view, self.bottom_in_view = (
            (truth[name] >= MIN_GARMENT_VISIBLE).mean(axis=1) >= _ENOUGH
            for name in ("top_seen", "bottom_seen")
        )
        self.action_in_view = _action_in_view(truth)

    def draw(self, rng: np.random.Generator, batch: int, subjects: int) -> Episode:
        """An episode; everything random comes from `rng`."""
        clips = self.clips[rng.integers(len(self.clips), size=batch)]
        asked = np.stack([self._subjects(rng, int(clip), subjects) for clip in clips])
        return self.at(rng, clips, asked)

    def at(self, rng: np.random.Generator, clips: NDArray[np.int64], asked: NDArray[np.int64]) -> Episode:
        """The episode of these clips (B,) and these subjects (B, S)."""
        batch = len(clips)
        embed, geom, signs, valid, slots = self._windows(rng, clips)
        ref_embed, ref_geom, ref_valid = self._references(rng, asked)
        scene_valid = (rng.random(batch) >= self.token_only).astype(np.float32)
        for row in np.flatnonzero(scene_valid == 0):
            self._simulate(
                rng, int(clips[row]), asked[row], embed[row], geom[row], ref_embed[row], ref_geom[row]
            )
        weight = (ref_valid * (ref_geom[..., 4] + 0.05))[..., None]
        templates = (weight * ref_embed).sum(axis=2)
        templates /= np.linalg.norm(templates, axis=-1, keepdims=True) + 1e-6
        scene = self.features.tokens[clips].astype(np.float32) * scene_valid[:, None, None, None]
        present, told, facts = self._truth(clips, asked, scene_valid)
        token_facts = self._facts(clips, slots, scene_valid)
        as_tensor = torch.from_numpy
        return Episode(
            clips, asked, as_tensor(scene), as_tensor(scene_valid), as_tensor(embed), as_tensor(geom),
            as_tensor(signs), as_tensor(valid), as_tensor(templates), as_tensor(ref_embed),
            as_tensor(ref_geom), as_tensor(ref_valid), as_tensor(present), as_tensor(told),
            as_tensor(facts), as_tensor(token_facts),
        )  # fmt: skip

    def _subjects(self, rng: np.random.Generator, clip: int, count: int) -> NDArray[np.int64]:
        """About half present; of the absent ones about half look like somebody who is there."""
        there = [int(who) for who in self.who[clip] if who >= 0]
        chosen: list[int] = []
        while len(chosen) < count:
            dice = rng.random()
            if dice < 0.5:
                pick = there[int(rng.integers(len(there)))]
            elif dice < 0.75:
                pick = there[int(rng.integers(len(there)))] ^ 1
            else:
                pick = int(rng.integers(self.first, self.last))
            if pick not in chosen:
                chosen.append(pick)
        return np.asarray(chosen)

    def _tokens(self, rng: np.random.Generator, clip: int, slots: Sequence[int], capacity: int) -> _Tokens:
        truth, features = self.data.truth, self.features
        owner = np.full(capacity, -1)
        signs = np.zeros((capacity, features.signs.shape[-1]), dtype=np.float32)
        embed = np.zeros((capacity, features.embed.shape[-1]), dtype=np.float32)
        geom = np.zeros((capacity, GEOM), dtype=np.float32)
        valid = np.zeros(capacity, dtype=np.float32)
        row, frames = 0, features.embed.shape[1]
        for track, slot in enumerate(slots):
            last: tuple[float, float, float] | None = None
            for t in range(frames):
                if not self.in_view[clip, t, slot] or rng.random() < 0.04 or row == capacity:
                    continue
                x, y, w, h = truth["head"][clip, t, slot]
                right, down, grow = rng.normal(0, BOX_NOISE, 3)
                cx, cy, now = x + w * (0.5 + right), y + h * (0.5 + down), t / frames
                w, h = w * np.exp(grow), h * np.exp(grow)
                seconds = (now - last[2]) * 2.0 if last else 1.0
                vx, vy = ((cx - last[0]) / seconds, (cy - last[1]) / seconds) if last else (0.0, 0.0)
                embed[row], signs[row] = features.embed[clip, t, slot], features.signs[clip, t, slot]
                geom[row] = (
                    cx, cy, w, h, features.quality[clip, t, slot], vx, vy, now, 1.0, 0.0, track / 8, 1.0,
                )  # fmt: skip
                valid[row], owner[row] = 1.0, slot
                last, row = (cx, cy, now), row + 1
        return embed, geom, signs, valid, owner

    def _windows(self, rng: np.random.Generator, clips: NDArray[np.int64]) -> _Tokens:
        parts = [
            self._tokens(rng, int(clip), [int(slot) for slot in rng.permutation(SLOTS)], WINDOW_TOKENS)
            for clip in clips
        ]
        embed, geom, signs, valid, owner = (np.stack(part) for part in zip(*parts, strict=True))
        return embed, geom, signs, valid, owner

    def _references(
        self, rng: np.random.Generator, asked: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        parts = []
        for who in asked.reshape(-1):
            clip = int(who) * self.clips_each
            slots = [int(slot) for slot in np.flatnonzero(self.who[clip] == who)]
            embed, geom, _, valid, _ = self._tokens(rng, clip, slots, REFERENCE_TOKENS)
            parts.append((embed, geom, valid))
        shape = asked.shape
        stacked = [np.stack(part) for part in zip(*parts, strict=True)]
        embed, geom, valid = (part.reshape(*shape, *part.shape[1:]) for part in stacked)
        return embed, geom, valid

    def _simulate(
        self, rng: np.random.Generator, clip: int, asked: NDArray[np.int64], embed: NDArray[np.float32],
        geom: NDArray[np.float32], ref_embed: NDArray[np.float32], ref_geom: NDArray[np.float32],
    ) -> None:  # fmt: skip
        """Replace embeddings in place by simulated ones, the same person close, a look-alike correlated."""
        width = embed.shape[-1]
        shared: dict[int, NDArray[np.float64]] = {}
        kin = float(rng.uniform(0.2, 0.75))
        shift = float(rng.uniform(0.3, 0.75))

        def direction() -> NDArray[np.float64]:
            return _unit(rng.standard_normal((width,)))

        def person(who: int) -> NDArray[np.float64]:
            family = shared.setdefault(who // 2, direction())
            own = shared.setdefault(-1 - who, direction())
            return _unit(kin * family + (1 - kin * kin) ** 0.5 * own)

        def session(who: int, quality: NDArray[np.float32]) -> NDArray[np.float32]:
            centre = _unit(person(who) + shift * direction())
            spread = (0.25 + 0.9 * (1 - quality))[:, None]
            noise = rng.standard_normal((len(quality), width)) / width**0.5
            views = centre + spread * noise
            unit = views / np.linalg.norm(views, axis=1, keepdims=True)
            return np.asarray(unit, dtype=np.float32)

        order = [int(who) for who in self.who[clip]]
        tracks = np.rint(geom[:, 10] * 8).astype(np.int64)
        for track in range(SLOTS):
            rows = np.flatnonzero((tracks == track) & (geom[:, 11] > 0))
            if len(rows):
                embed[rows] = session(self._track_owner(clip, order, geom[rows[0]]), geom[rows, 4])
        for index, who in enumerate(asked):
            rows = np.flatnonzero(ref_geom[index, :, 11] > 0)
            if len(rows):
                ref_embed[index, rows] = session(int(who), ref_geom[index, rows, 4])
            ref_geom[index, rows, 8], ref_geom[index, rows, 9] = 0.0, 1.0  # as faces: no known traits
        used = geom[:, 11] > 0
        geom[used, 8], geom[used, 9] = 0.0, 1.0

    def _track_owner(self, clip: int, order: Sequence[int], token: NDArray[np.float32]) -> int:
        t = round(float(token[7]) * self.features.embed.shape[1])
        heads = self.data.truth["head"][clip, t]
        centres = heads[:, :2] + heads[:, 2:] / 2
        distance = np.abs(centres - token[:2]).sum(axis=1) + 10.0 * (np.asarray(order) < 0)
        return order[int(np.argmin(distance))]

    def _truth(
        self, clips: NDArray[np.int64], asked: NDArray[np.int64], scene_valid: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        match = self.who[clips][:, None, :] == asked[:, :, None]
        present = match.any(axis=2)
        slot = np.where(present, match.argmax(axis=2), -1)
        seen = self.in_view[clips[:, None], :, slot].sum(axis=2)
        told = ~present | (seen > 0)
        facts = self._facts(clips, slot, scene_valid)
        return present.astype(np.float32), told.astype(np.float32), facts

    def _facts(
        self, clips: NDArray[np.int64], slot: NDArray[np.int64], scene_valid: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """(B, N, 6) facts of the people in slots (B, N), -1 for nobody; -1 too where nothing can be seen."""
        truth, rows = self.data.truth, clips[:, None]
        seen = self.in_view[rows, :, slot].sum(axis=2)
        usable = (slot >= 0) & (seen >= 4) & (scene_valid[:, None] > 0)
        day = truth["night"][clips][:, None] < 0.5
        moves = usable & self.action_in_view[rows, slot]
        top = usable & self.top_in_view[rows, slot]
        legs = usable & self.bottom_in_view[rows, slot]
        masks = (moves, usable, top & day, top, legs & day, legs)
        values = (
            truth["action"][rows, slot], np.repeat(truth["room"][clips][:, None], slot.shape[1], axis=1),
            truth["top"][rows, slot], truth["kind"][rows, slot], truth["bottom"][rows, slot],
            truth["bottom_kind"][rows, slot],
        )  # fmt: skip
        facts = [
            np.where(mask, value, -1).astype(np.int64) for mask, value in zip(masks, values, strict=True)
        ]
        return np.stack(facts, axis=-1)


def _action_in_view(truth: dict[str, NDArray[np.float32]]) -> NDArray[np.bool_]:
    """bool (N, A): head, and for deeds of the hand the right hand, inside the picture often enough."""
    inside = np.logical_and(truth["joints"] >= 0, truth["joints"] < 1).min(axis=-1)
    of_hand = np.isin(truth["action"], [ACTION_NAMES.index(name) for name in HAND_ACTIONS])
    shows = inside[..., 0] & (inside[..., _HAND] | ~of_hand[:, None, :])
    return np.asarray(shows.mean(axis=1) >= _ENOUGH)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit
