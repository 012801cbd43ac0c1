"""Which routed heads are never open, by proof or by measurement. Knows no ONNX and cuts nothing itself.

Proof. What a router sees is the output of a layer norm, x = g z + b with z of mean 0 and norm at most
sqrt(D). So its score w.x + c is at most sqrt(D) |P(w g)| + w.b + c, where P takes the mean away, and by the
inequality of Cauchy and Schwarz no input gives more. Where that is below 0, ReLU closes the head for every
input. Measurement. The highest score over a household's own windows; it says nothing of other windows.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from export.fuse import Cut, routed_attentions
from export.wrappers import Arrays
from runtime.contract.errors import BundleError
from train.model.bridge import Bridge, BridgeInputs, Layer
from train.model.remoh import RoutedAttention

Method = Literal["proven", "measured"]
ROUNDING = 0.01
"""How far below 0 a bound must lie, as a share of its terms: float16 rounds each by less than this."""
_INPUTS = (
    "scene", "scene_valid", "person_embed", "person_geom", "person_signs", "person_valid", "queries",
    "templates", "subject_valid", "delta_a", "delta_b",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pruning:
    """Heads that are cut, and why that may be.

    Attributes:
        method: `proven` for every input, or `measured` on windows of one household.
        highest: per attention, the highest score that each routed head can reach, or reached.
        cut: heads that are left out (0-based, shared ones first).
        windows: how many were measured; 0 for a proof.
    """

    method: Method
    highest: dict[str, tuple[float, ...]]
    cut: dict[str, tuple[int, ...]]
    windows: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "method": self.method,
            "windows": self.windows,
            "rule": "bound + 1 % of its terms < 0" if self.method == "proven" else "highest score <= 0",
            "highest_score": {name: [round(x, 6) for x in found] for name, found in self.highest.items()},
            "cut": {name: list(heads) for name, heads in self.cut.items()},
        }


@torch.no_grad()
def proven(bridge: Bridge) -> Pruning:
    """Heads that no input opens."""
    highest: dict[str, tuple[float, ...]] = {}
    cut: dict[str, tuple[int, ...]] = {}
    for name, layer, attention in routed_attentions(bridge):
        terms = _terms(attention, _norm_before(bridge, name, layer))
        if terms is not None:
            total, size = terms.sum(dim=0), terms.abs().sum(dim=0)
            highest[name] = tuple(float(x) for x in total)
            closed = (total + ROUNDING * size < 0).tolist()
            cut[name] = _heads(attention, closed)
    return Pruning("proven", highest, _some(cut))


@torch.no_grad()
def measured(bridge: Bridge, windows: Sequence[Arrays]) -> Pruning:
    """Heads that no row of these windows opens.

    Args:
        windows: inputs of the engine `bridge`, each a window of the household with its subjects.

    Raises:
        BundleError: no windows.
    """
    if not windows:
        raise BundleError("heads cannot be measured without windows.", "Give --windows FILE.")
    names = [(name, attention) for name, _, attention in routed_attentions(bridge)]
    best = {name: torch.full((_routed(attention),), float("-inf")) for name, attention in names}
    for window in windows:
        scores = bridge(bridge_inputs(window)).scores
        for (name, _), base, own in zip(names, scores[::2], scores[1::2], strict=True):
            for seen in (base, own):
                best[name] = torch.maximum(best[name], seen.flatten(0, -2).amax(dim=0))
    cut = {
        name: _heads(attention, (best[name] <= 0).tolist())
        for name, attention in names
        if _is_relu(attention)
    }
    highest = {name: tuple(float(x) for x in found) for name, found in best.items()}
    return Pruning("measured", highest, _some(cut), len(windows))


@torch.no_grad()
def silenced(bridge: Bridge, cut: Cut) -> Bridge:
    """A copy in which the routers never open the cut heads: what a bridge without them must compute."""
    quiet = copy.deepcopy(bridge)
    for name, _, attention in routed_attentions(quiet):
        router = attention.router
        if router is not None:
            rows = [head - router.routing.shared for head in cut.get(name, ())]
            router.router.weight[rows] = 0.0
            router.router.bias[rows] = -1.0
    return quiet


def bridge_inputs(window: Arrays) -> BridgeInputs:
    """One window's arrays, as the engine `bridge` takes them, with a batch axis."""
    tensors = {name: torch.from_numpy(window[name]) for name in _INPUTS}
    batched = [tensor if name == "scene_valid" else tensor[None] for name, tensor in tensors.items()]
    return BridgeInputs(*batched)


def _norm_before(bridge: Bridge, name: str, layer: Layer) -> nn.LayerNorm | None:
    """The layer norm whose output the attention's router sees; None where it sees learned rows."""
    if name.endswith("cross_attention"):
        return layer.self_norm
    index = int(name.split(".")[1])
    before = bridge.layers[index - 1] if index else None
    return before.ffn_norm if isinstance(before, Layer) else None


def _terms(attention: RoutedAttention, norm: nn.LayerNorm | None) -> Tensor | None:
    """(3, routed): length, offset and bias, whose sum bounds the scores."""
    router = attention.router
    if router is None or norm is None or not _is_relu(attention):
        return None
    weight, bias = router.router.weight.double(), router.router.bias.double()
    along = weight * norm.weight.double()
    length = (along - along.mean(dim=-1, keepdim=True)).norm(dim=-1) * weight.shape[1] ** 0.5
    return torch.stack([length, weight @ norm.bias.double(), bias])


def _is_relu(attention: RoutedAttention) -> bool:
    return attention.router is not None and attention.router.routing.mode in ("identity", "paper")


def _routed(attention: RoutedAttention) -> int:
    return 0 if attention.router is None else attention.router.routing.routed


def _heads(attention: RoutedAttention, closed: Sequence[bool]) -> tuple[int, ...]:
    shared = attention.heads - len(closed)
    return tuple(shared + at for at, shut in enumerate(closed) if shut)


def _some(cut: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: heads for name, heads in cut.items() if heads}
