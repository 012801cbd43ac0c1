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


def _moh(top: int = 2) -> Router:
    torch.manual_seed(2)
    router = Router(16, Routing(mode="moh", shared=3, routed=4, top=top))
    for parameter in router.parameters():
        torch.nn.init.normal_(parameter)
    return router


def test_moh_keeps_the_heads_with_the_largest_probability_and_compensates_the_scale() -> None:
    router, x = _moh(), torch.randn(6, 16)
    gates, scores = router(x)
    assert router.among_shared is not None
    alphas = 2 * torch.softmax(x @ router.alpha.weight.T, dim=-1)
    shared = alphas[:, :1] * 3 * torch.softmax(x @ router.among_shared.weight.T, dim=-1)
    probability = torch.softmax(scores, dim=-1)
    values, heads = probability.topk(2, dim=-1)
    routed = torch.zeros_like(probability).scatter(1, heads, 2 * values / values.sum(dim=-1, keepdim=True))
    assert torch.allclose(gates, torch.cat([shared, alphas[:, 1:] * routed], dim=-1), atol=1e-6)
    assert bool(((gates[:, 3:] > 0).sum(dim=-1) == 2).all())


def test_moh_that_keeps_all_heads_has_gates_of_mean_one_where_nothing_is_preferred() -> None:
    router = Router(16, Routing(mode="moh", shared=3, routed=4, top=4))
    gates, _ = router(torch.randn(5, 16))
    assert torch.allclose(gates, torch.ones_like(gates), atol=1e-3)


def test_balance_is_least_when_all_heads_are_chosen_alike() -> None:
    loss = RoutingLoss("balance", top=1)
    even = loss([torch.eye(4) * 9])["balance"]
    one = loss([torch.tensor([[9.0, 0, 0, 0]]).expand(4, 4)])["balance"]
    assert float(even) < 0.3 * float(one)


def test_own_lambdas_move_apart_and_a_global_one_sees_the_mean() -> None:
    busy, idle = torch.ones(2, 4), -torch.ones(2, 4)
    own = RoutingLoss("per_module", modules=2).train()
    start = own.strength.clone()
    own([busy, busy, idle, idle])
    own.after_step()
    assert float(own.strength[0]) > float(start[0]) > float(own.strength[1])
    shared = RoutingLoss().train()
    before = float(shared.strength)
    shared([busy, busy, idle, idle])
    shared.after_step()
    assert abs(float(shared.strength) - before) < 1e-9


def test_published_hae_is_reported_and_moves_nothing() -> None:
    scores = torch.full((3, 5, 4), -0.2, requires_grad=True)
    loss = RoutingLoss("published", modules=1).train()
    losses = loss([scores, scores])
    assert float(losses["hae"].detach()) > 0
    assert not losses["hae"].requires_grad
    weight = float(loss.push[0])
    loss.after_step()
    assert float(loss.push[0]) > weight, "it grows while every head is dead"


def test_published_spr_weighs_a_head_by_how_often_it_fires() -> None:
    scores = torch.tensor([[2.0, -1.0], [4.0, 1.0]])
    loss = RoutingLoss("published", modules=1)
    loss.strength.fill_(1.0)
    assert abs(float(loss([scores])["spr"]) - (1.0 * 3.0 + 0.5 * 0.5)) < 1e-6


def test_left_out_loss_is_zero_and_the_other_one_is_not() -> None:
    scores = [torch.full((3, 4), -0.5)]
    without = RoutingLoss(activation=False)(scores)
    assert float(without["hae"]) == 0.0
    assert float(RoutingLoss()(scores)["hae"]) > 0
    assert float(RoutingLoss(sparsity=False)([torch.ones(3, 4)])["spr"]) == 0.0
    assert all(float(part) == 0 for part in RoutingLoss("none")(scores).values())
