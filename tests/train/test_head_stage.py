"""Claims about the heads that identity is learned from, and the losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from train.base.config import HeadDataConfig
from train.base.head_data import HeadData, family, open_heads, render_heads
from train.base.head_stage import HeadStage, pair_loss
from train.base.world_data import WIDE_CROP
from train.model.head import HeadConfig, HeadEncoder
from train.world.traits import HEAD_TRAITS, differing_traits, split_of

CONFIG = HeadDataConfig(seed=5, people=8, processes=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> HeadData:
    folder = tmp_path_factory.mktemp("heads")
    render_heads(folder, CONFIG, lambda done, total: None)
    return open_heads(folder)


def test_every_person_is_somebody_else_and_comes_with_a_look_alike(data: HeadData) -> None:
    families = [family(CONFIG, number) for number in range(4)]
    assert {split_of(person) for pair in families for person in pair} == {"train"}
    assert len({one for one, _ in families}) == 4
    for number, (one, other) in enumerate(families):
        rows = data.truth["traits"][2 * number : 2 * number + 2]
        names = set(differing_traits(one, other)) & set(HEAD_TRAITS)
        assert {HEAD_TRAITS[index] for index in np.flatnonzero(rows[0] != rows[1])} == names
        assert 1 <= len(names) <= 5


def test_both_looks_show_a_head_and_differ(data: HeadData) -> None:
    assert data.crops.shape == (8, 2, WIDE_CROP, WIDE_CROP, 3)
    assert (data.truth["seen"] > 0).mean() > 0.9
    assert all(not np.array_equal(first, second) for first, second in data.crops)


def test_heads_rendered_again_are_the_same_bytes(data: HeadData, tmp_path: Path) -> None:
    render_heads(tmp_path, CONFIG, lambda done, total: None)
    assert np.array_equal(open_heads(tmp_path).crops, data.crops)


def test_an_odd_number_of_people_is_refused() -> None:
    with pytest.raises(ValueError, match="even number"):
        HeadDataConfig(people=7)


def test_the_head_encoder_can_learn_one_batch_by_heart(data: HeadData) -> None:
    torch.manual_seed(0)
    stage = HeadStage(HeadEncoder(HeadConfig()), data, batch=16, seed=1)
    optimiser = torch.optim.AdamW(stage.parameters(), lr=2e-3)
    first = {name: part.detach() for name, part in stage.loss(0).items()}
    for _ in range(40):
        optimiser.zero_grad()
        losses = stage.loss(0)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert set(losses) == {"same", "traits", "quality", "locate"}
    assert float(losses["traits"].detach()) < 0.3 * float(first["traits"])
    assert float(losses["same"].detach()) < 0.3 * float(first["same"])


def looks(same: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two looks at four people; `same` is how much the second look is of the person, not of the twin."""
    axes = torch.eye(4)
    second = F.normalize(same * axes + (1 - same) * axes[[1, 0, 3, 2]], dim=-1)
    return torch.cat([axes, second]), torch.ones(8)


def test_two_looks_that_agree_cost_less_than_looks_that_resemble_the_twin() -> None:
    values, shown = np.arange(4)[:, None], np.ones((8, 1), dtype=np.float32)
    assert float(pair_loss(*looks(0.9), values, shown)) < 0.1 * float(pair_loss(*looks(0.4), values, shown))


def test_a_look_alike_costs_nothing_where_no_difference_can_be_seen() -> None:
    values, shown = np.arange(4)[:, None], np.ones((8, 1), dtype=np.float32)
    seen = float(pair_loss(*looks(0.4), values, shown))
    assert float(pair_loss(*looks(0.4), values, shown * 0)) < 1e-3 * seen


def test_a_look_that_cannot_tell_costs_nothing() -> None:
    values, shown = np.arange(4)[:, None], np.ones((8, 1), dtype=np.float32)
    embedding, _ = looks(0.4)
    assert float(pair_loss(embedding, torch.zeros(8), values, shown)) == 0.0
