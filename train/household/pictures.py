"""Pictures of a training: its curves, and which heads fire with and without somebody (the paper's Fig. 7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from train.household.stage import HouseholdStage
from train.household.windows import Window

matplotlib.use("Agg")
from matplotlib import pyplot

_DPI = 110


@torch.no_grad()
def head_activity(stage: HouseholdStage, windows: Sequence[Window], slot: int) -> NDArray[np.float32]:
    """Mean gate max(z, 0) of each routed head over the rows of one member: (modules, routed)."""
    scores = [score for score in stage.look(windows).scores if score.dim() == 4]
    return torch.stack([torch.relu(score[:, slot]).mean(dim=(0, 1)) for score in scores]).numpy()


def draw_heads(path: Path, activity: Sequence[tuple[str, NDArray[np.float32], NDArray[np.float32]]]) -> None:
    """One row a member: gates in windows with this person, without, and the difference.

    Args:
        activity: name, and (modules, routed) with and without the person.
    """
    figure, axes = pyplot.subplots(len(activity), 3, figsize=(9, 2.6 * len(activity)), squeeze=False)
    for row, (name, there, absent) in zip(axes, activity, strict=True):
        top = max(float(there.max()), float(absent.max()), 1e-6)
        for axis, values, title in zip(
            row,
            (there, absent, there - absent),
            (f"with {name}", f"without {name}", "difference"),
            strict=True,
        ):
            signed = title == "difference"
            reach = max(float(np.abs(values).max()), 1e-6)
            picture = axis.imshow(
                values,
                cmap="RdBu" if signed else "viridis",
                vmin=-reach if signed else 0,
                vmax=reach if signed else top,
                aspect="auto",
            )
            axis.set(title=title, xlabel="routed head", ylabel="module")
            figure.colorbar(picture, ax=axis)
    _save(figure, path)


def draw_curves(path: Path, metrics: Sequence[Path]) -> None:
    """Every loss over the steps of all stages, in the order of the metrics files (JSON lines)."""
    figure, axis = pyplot.subplots(figsize=(8, 4.5))
    curves: dict[str, list[tuple[int, float]]] = {}
    begin = last = 0
    for part in metrics:
        for line in part.read_text(encoding="utf-8").splitlines() if part.exists() else ():
            row = json.loads(line)
            last = begin + int(row["step"])
            for name, value in row.items():
                if name not in ("step", "seconds"):
                    curves.setdefault(name, []).append((last, float(value)))
        axis.axvline(last, color="lightgrey")
        begin = last
    for name, points in curves.items():
        axis.plot([x for x, _ in points], [y for _, y in points], label=name, marker=".")
    axis.set(xlabel="step", ylabel="loss")
    axis.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI)
    pyplot.close(figure)
