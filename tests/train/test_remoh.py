from __future__ import annotations

import torch

from train.losses import RoutingLoss, active_rate
from train.model.remoh import RoutedAttention, Router, Routing


def _pair(mode: str) -> tuple[RoutedAttention, RoutedAttention]:
    torch.manual_seed(0)
    routed = RoutedAttention(48, 12, Routing(mode="identity" if mode == "identity" else "paper"))
    plain = RoutedAttention(48, 12, None)
    plain.load_state_dict({n: p for n, p in routed.state_dict().items() if not n.startswith("router.")})
    return routed, plain


def _attend(attention: RoutedAttention, x: torch.Tensor) -> torch.Tensor:
    key, value = attention.split(attention.key(x)), attention.split(attention.value(x))
    out: torch.Tensor = attention(x, key, value, None)[0]
    return out


def test_identity_routing_starts_as_the_unrouted_attention_bit_for_bit() -> None:
    routed, plain = _pair("identity")
    x = torch.randn(2, 7, 48)
    assert torch.equal(_attend(routed, x), _attend(plain, x))


def test_paper_routing_halves_shared_heads_and_nearly_deletes_routed_ones_at_the_start() -> None:
    router = Router(48, Routing(mode="paper"))
    gates, _ = router(torch.randn(5, 48))
    assert torch.allclose(gates[:, :8], torch.full((5, 8), 0.5), atol=1e-3)
    assert float(gates[:, 8:].detach().max()) < 1e-3


def test_gates_are_the_published_formula() -> None:
    torch.manual_seed(1)
    router = Router(16, Routing(mode="paper", shared=2, routed=3))
    torch.nn.init.normal_(router.router.weight)
    torch.nn.init.normal_(router.alpha.weight)
    x = torch.randn(4, 16)
    gates, scores = router(x)
    alphas = torch.softmax((x @ router.alpha.weight.T).clamp(-1, 1), dim=-1)
    raw = (x @ router.router.weight.T + router.router.bias).clamp(-1, 10)
    wanted = torch.cat([alphas[:, :1].expand(4, 2), alphas[:, 1:] * raw.relu()], dim=-1)
    assert torch.allclose(gates, wanted, atol=1e-6)
    assert torch.equal(scores, raw)


def test_hae_has_a_gradient_when_all_routed_heads_are_off() -> None:
    scores = torch.full((3, 5, 4), -0.2, requires_grad=True)
    losses = RoutingLoss().train()([scores])
    losses["hae"].backward()
    assert scores.grad is not None
    assert float(scores.grad.abs().sum()) > 0
    assert float(scores.grad.max()) < 0, "descending must raise the scores"


def test_hae_is_zero_when_enough_heads_fire() -> None:
    losses = RoutingLoss()([torch.ones(3, 4)])
    assert float(losses["hae"]) == 0.0


def test_lambda_moves_once_per_step_and_never_in_evaluation() -> None:
    loss = RoutingLoss().train()
    start = float(loss.strength)
    loss([torch.ones(2, 4)])
    loss([torch.ones(2, 4)])
    assert float(loss.strength) == start
    loss.after_step()
    assert float(loss.strength) > start, "more heads fire than wanted"
    moved = float(loss.strength)
    loss.eval()
    loss([torch.ones(2, 4)])
    loss.after_step()
    assert float(loss.strength) == moved


def test_lambda_is_saved_with_the_checkpoint() -> None:
    loss = RoutingLoss()
    loss.strength.fill_(0.25)
    again = RoutingLoss()
    again.load_state_dict(loss.state_dict())
    assert float(again.strength) == 0.25


def test_active_rate_counts_heads_that_fire() -> None:
    scores = torch.tensor([[1.0, -1.0, 2.0, -3.0]])
    assert abs(float(active_rate([scores])) - 0.5) < 1e-6
