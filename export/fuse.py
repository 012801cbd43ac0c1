"""The bridge as it ships: routers inside the query projection, heads cut that are never open. Knows no ONNX.

A router costs two products of its own over every token. Here its rows, and those of the mix a1, a2, are
appended to the query projection's, so one product gives queries and scores; the gates then multiply the
attention's output on its way into the output projection. `cut` heads leave every projection.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from runtime.contract.errors import BundleError
from train.model.bridge import Bridge, Layer
from train.model.remoh import RoutedAttention

Cut = Mapping[str, Collection[int]]
"""Heads to leave out (0-based, shared ones first) by attention: `layers.2.self_attention`."""


class FusedAttention(nn.Module):
    """What a `RoutedAttention` with a ReLU router computes, with fewer products and only the kept heads."""

    def __init__(self, plain: RoutedAttention, cut: Collection[int] = ()) -> None:
        """Copies the weights; `cut` are heads of a router, never shared ones.

        Raises:
            BundleError: no ReLU router, or a head to cut that no router governs.
        """
        super().__init__()
        router = plain.router
        if router is None or router.routing.mode not in ("identity", "paper"):
            raise BundleError(
                "only attention with a ReLU router can be fused.", "Train with routing identity."
            )
        shared, width = router.routing.shared, plain.query.out_features // plain.heads
        if not set(cut) <= set(range(shared, plain.heads)):
            raise BundleError(
                f"the heads {sorted(cut)} are not all routed ones ({shared} to {plain.heads - 1})."
            )
        kept = [head for head in range(plain.heads) if head not in cut]
        columns = torch.tensor([head * width + at for head in kept for at in range(width)])
        routed = [head - shared for head in kept if head >= shared]
        self.heads, self.shared, self.paper = len(kept), shared, router.routing.mode == "paper"
        self.sizes = [len(columns), 2, len(routed)]
        self.register_buffer("columns", columns if cut else None, persistent=False)
        self.columns: Tensor | None
        bias = [plain.query.bias[columns], plain.query.bias.new_zeros(2), router.router.bias[routed]]
        rows = [plain.query.weight[columns], router.alpha.weight, router.router.weight[routed]]
        self.query = _linear(torch.cat(rows), torch.cat(bias))
        self.key = _linear(plain.key.weight[columns], plain.key.bias[columns])
        self.value = _linear(plain.value.weight[columns], plain.value.bias[columns])
        self.out = _linear(plain.out.weight[:, columns], plain.out.bias)

    def split(self, x: Tensor) -> Tensor:
        """(..., L, kept x d) to (..., kept, L, d)."""
        return x.view(*x.shape[:-1], self.heads, x.shape[-1] // self.heads).transpose(-3, -2)

    def forward(
        self, x: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, delta: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As `RoutedAttention.forward`, with as many heads as are kept, and no scores."""
        query, mix, scores = self.query(x).split(self.sizes, dim=-1)
        if delta is not None:
            query = query + (delta if self.columns is None else delta[..., self.columns])
        q = self.split(query)
        logits = q @ key.transpose(-1, -2) * (q.shape[-1] ** -0.5)
        if bias is not None:
            logits = logits + bias
        context = (torch.softmax(logits, dim=-1) @ value).transpose(-3, -2)
        gated = context * self._gates(mix, scores).unsqueeze(-1)
        return self.out(gated.flatten(-2)), None

    def _gates(self, mix: Tensor, scores: Tensor) -> Tensor:
        if self.paper:
            mix, scores = mix.clamp(-1, 1), scores.clamp(-1, 10)
        alphas = torch.softmax(mix, dim=-1) * (1.0 if self.paper else 2.0)
        shared = alphas[..., :1].expand(*alphas.shape[:-1], self.shared)
        return torch.cat([shared, alphas[..., 1:] * F.relu(scores)], dim=-1)


def fused_bridge(bridge: Bridge, cut: Cut | None = None) -> Bridge:
    """A copy of the bridge whose routed attentions are `FusedAttention`; `cut` heads are left out.

    Raises:
        BundleError: a head to cut that no router governs.
    """
    fused, left = copy.deepcopy(bridge), dict(cut or {})
    for name, layer, attention in list(routed_attentions(fused)):
        if attention.router is not None and attention.router.routing.mode == "moh":
            continue
        heads = left.pop(name, ())
        new = FusedAttention(attention, heads)
        setattr(layer, name.rsplit(".", 1)[1], new)
        if heads and name.endswith("cross_attention"):
            kept = [head for head in range(attention.heads) if head not in heads]
            layer.identity_scale = nn.Parameter(layer.identity_scale[kept].detach())
    if any(left.values()):
        raise BundleError(f"no ReLU router governs heads of {', '.join(sorted(left))}.")
    return fused.eval()


def routed_attentions(bridge: Bridge) -> Iterator[tuple[str, Layer, RoutedAttention]]:
    """Every attention with a router, in the order of the forward pass: its name, layer and module."""
    for index, layer in enumerate(bridge.layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"bridge layers are Layer, got {type(layer).__name__}")
        for kind in ("self_attention", "cross_attention"):
            attention = getattr(layer, kind)
            if isinstance(attention, RoutedAttention) and attention.router is not None:
                yield f"layers.{index}.{kind}", layer, attention


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight = nn.Parameter(weight.detach().clone())
    layer.bias = nn.Parameter(bias.detach().clone())
    return layer
