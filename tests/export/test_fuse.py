"""Claims about the fused bridge: it is the routed one, with fewer products and without idle heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from export.fuse import FusedAttention, fused_bridge, routed_attentions
from export.parity import perturb
from export.prune import bridge_inputs, measured, proven, silenced
from export.samples import sample_inputs
from export.wrappers import Floats
from runtime.contract.errors import BundleError
from train.model.bridge import Bridge, BridgeConfig, BridgeOutputs
from train.model.pvchat import ModelConfig, build_model
from train.model.remoh import RoutedAttention, Routing, RoutingMode

CROSS = "layers.2.cross_attention"
SELF = "layers.3.self_attention"


def routed_bridge(mode: RoutingMode = "identity") -> Bridge:
    """A bridge in which every weight moves, the routers' most of all."""
    torch.manual_seed(2)
    model = build_model(replace(ModelConfig(), bridge=BridgeConfig(routing=Routing(mode=mode))))
    return perturb(model, seed=5).bridge


def windows(count: int) -> list[dict[str, Floats]]:
    return [sample_inputs(ModelConfig(), "bridge", size=1 + at % 3, seed=at) for at in range(count)]


@torch.no_grad()
def run(bridge: Bridge, window: dict[str, Floats]) -> BridgeOutputs:
    out: BridgeOutputs = bridge(bridge_inputs(window))
    return out


def apart(one: Bridge, other: Bridge, count: int = 3) -> float:
    """The largest difference of any output over some windows."""
    largest = 0.0
    for window in windows(count):
        a, b = run(one, window), run(other, window)
        for name in ("base_rows", "subject_rows", "presence", "match"):
            largest = max(largest, float((getattr(a, name) - getattr(b, name)).abs().max()))
    return largest


def close(bridge: Bridge, name: str, head: int) -> None:
    """Shut one routed head for every input: a small weight and a bias that it cannot lift."""
    attention = {found: module for found, _, module in routed_attentions(bridge)}[name]
    assert attention.router is not None
    row = head - attention.router.routing.shared
    with torch.no_grad():
        attention.router.router.weight[row] *= 0.01
        attention.router.router.bias[row] = -1.0


@pytest.mark.parametrize("mode", ["identity", "paper"])
def test_fused_bridge_equals_the_routed_one(mode: RoutingMode) -> None:
    bridge = routed_bridge(mode)
    fused = fused_bridge(bridge)
    assert sum(isinstance(module, FusedAttention) for module in fused.modules()) == 3
    assert apart(bridge, fused) <= 1e-5
    assert any(isinstance(module, RoutedAttention) and module.router for module in bridge.modules())


def test_a_fused_attention_has_four_products_where_the_routed_one_has_six() -> None:
    attention = next(module for _, _, module in routed_attentions(routed_bridge()))
    linear = [module for module in attention.modules() if isinstance(module, torch.nn.Linear)]
    fused = [module for module in FusedAttention(attention).modules() if isinstance(module, torch.nn.Linear)]
    assert (len(linear), len(fused)) == (6, 4)
    assert fused[0].out_features == attention.query.out_features + 2 + 4


def test_a_fused_bridge_whose_router_is_dropped_is_told_from_the_routed_one() -> None:
    bridge = routed_bridge()
    fused = fused_bridge(bridge)
    one = next(module for module in fused.modules() if isinstance(module, FusedAttention))
    with torch.no_grad():
        one.query.weight[one.sizes[0] :] = 0.0
    assert apart(bridge, fused) > 1e-3


def test_attention_without_a_relu_router_is_not_fused() -> None:
    bridge = routed_bridge("moh")
    assert not any(isinstance(module, FusedAttention) for module in fused_bridge(bridge).modules())
    with pytest.raises(BundleError, match="ReLU router"):
        FusedAttention(RoutedAttention(48, 12, None))


def test_only_heads_that_no_input_opens_are_proven() -> None:
    bridge = routed_bridge()
    assert proven(bridge).cut == {}
    close(bridge, CROSS, 9)
    close(bridge, SELF, 11)
    close(bridge, SELF, 8)
    found = proven(bridge)
    assert found.cut == {CROSS: (9,), SELF: (8, 11)}
    assert all(highest < 0 for highest in (found.highest[CROSS][1], found.highest[SELF][3]))


def test_no_score_is_ever_above_its_proven_bound() -> None:
    bridge = routed_bridge()
    bounds, seen = proven(bridge).highest, measured(bridge, windows(6)).highest
    assert set(bounds) == set(seen)
    for name, limits in bounds.items():
        assert all(score <= limit for score, limit in zip(seen[name], limits, strict=True))


def test_a_proof_is_tight_where_an_input_lies_along_the_router() -> None:
    """The bound is reached, so that a smaller one would be wrong."""
    bridge = routed_bridge()
    name, layer, attention = next(found for found in routed_attentions(bridge) if found[0] == CROSS)
    assert attention.router is not None
    with torch.no_grad():
        along = attention.router.router.weight[0] * layer.self_norm.weight
        score = attention.router(layer.self_norm(along * 1e3)[None])[1][0, 0]
    assert float(score) == pytest.approx(proven(bridge).highest[name][0], rel=1e-4)


def test_a_bridge_without_heads_that_are_proven_shut_is_the_same_bridge() -> None:
    bridge = routed_bridge()
    for name, head in ((CROSS, 9), (SELF, 11), (SELF, 8)):
        close(bridge, name, head)
    pruned = fused_bridge(bridge, proven(bridge).cut)
    assert apart(bridge, pruned) <= 1e-5
    attention = dict(pruned.named_modules())[SELF]
    assert isinstance(attention, FusedAttention)
    assert (attention.heads, attention.key.out_features) == (10, 10 * 192 // 12)


def test_cutting_a_head_that_is_open_is_seen() -> None:
    bridge = routed_bridge()
    assert apart(bridge, fused_bridge(bridge, {CROSS: (9,)})) > 1e-3


def test_measured_heads_are_shut_on_the_windows_and_cut_everywhere() -> None:
    bridge = routed_bridge()
    attention = {name: module for name, _, module in routed_attentions(bridge)}[CROSS]
    assert attention.router is not None
    highest = measured(bridge, windows(4)).highest[CROSS]
    with torch.no_grad():
        attention.router.router.bias[2] -= highest[2] + 1e-3
    found = measured(bridge, windows(4))
    assert found.cut == {CROSS: (10,)}
    assert (found.method, found.windows) == ("measured", 4)
    pruned = fused_bridge(bridge, found.cut)
    assert apart(bridge, pruned, count=4) <= 1e-5
    assert apart(silenced(bridge, found.cut), pruned, count=6) <= 1e-5


def test_without_windows_nothing_is_measured() -> None:
    with pytest.raises(BundleError, match="without windows"):
        measured(routed_bridge(), [])


def test_a_shared_head_cannot_be_cut() -> None:
    bridge = routed_bridge()
    with pytest.raises(BundleError, match="routed ones"):
        fused_bridge(bridge, {CROSS: (3,)})
    with pytest.raises(BundleError, match="no ReLU router"):
        fused_bridge(bridge, {"layers.0.self_attention": (9,)})


def test_the_report_says_how_it_is_known() -> None:
    bridge = routed_bridge()
    close(bridge, CROSS, 9)
    said = proven(bridge).to_json()
    assert said["method"] == "proven" and said["cut"] == {CROSS: [9]}
    assert said["highest_score"][CROSS][1] < 0
    assert np.isfinite(said["highest_score"][SELF]).all()
