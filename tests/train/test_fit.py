from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from train.fit import FitConfig, fit, read_step, schedule


class _KilledError(Exception):
    pass


def _run(folder: Path, name: str, *, stop_at: int | None = None) -> tuple[nn.Linear, list[float]]:
    torch.manual_seed(0)
    module = nn.Linear(6, 1)
    seen: list[float] = []

    def loss(step: int) -> dict[str, torch.Tensor]:
        if step == stop_at:
            raise _KilledError
        x = torch.randn(8, 6, generator=torch.Generator().manual_seed(step))
        part = (module(nn.functional.dropout(x, 0.1)).squeeze(-1) - x.sum(dim=1)).square().mean()
        seen.append(float(part.detach()))
        return {"square": part}

    config = FitConfig(steps=20, learning_rate=1e-2, warmup_steps=3, save_every_s=0.0)
    fit(
        module,
        [(module, 1.0)],
        loss,
        config,
        checkpoint=folder / name,
        metrics=folder / f"{name}.jsonl",
        log_every=5,
    )
    return module, seen


def test_a_killed_run_resumes_on_the_same_curve(tmp_path: Path) -> None:
    whole, curve = _run(tmp_path, "whole.safetensors")
    with pytest.raises(_KilledError):
        _run(tmp_path, "killed.safetensors", stop_at=11)
    assert read_step(tmp_path / "killed.safetensors") == 11
    resumed, rest = _run(tmp_path, "killed.safetensors")
    assert rest == curve[11:]
    assert torch.equal(whole.weight, resumed.weight)


def test_metrics_are_json_lines_with_means(tmp_path: Path) -> None:
    _, curve = _run(tmp_path, "m.safetensors")
    lines = [json.loads(line) for line in (tmp_path / "m.safetensors.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 15, 20]
    assert lines[0]["square"] == pytest.approx(sum(curve[:5]) / 5)


def test_the_learning_rate_warms_up_and_then_only_falls() -> None:
    config = FitConfig(steps=100, warmup_steps=10)
    factors = [schedule(step, config) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == pytest.approx(1.0)
    assert all(a >= b for a, b in pairwise(factors[10:]))
    assert factors[-1] >= 0.05
