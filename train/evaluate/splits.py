"""The same figures for parts of the trials: by household size, light, head size and looks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from train.evaluate.presence import Figures, presence_figures
from train.evaluate.trials import Presence

_SPLITS: dict[str, Callable[[Presence], str]] = {
    "members": lambda one: str(one.size),
    "light": lambda one: "night" if one.night else "day",
    "head": lambda one: _head(one.head_px),
    "top": lambda one: one.wearing,
    "age": lambda one: "" if one.child is None else ("child" if one.child else "adult"),
    "skin": lambda one: one.skin,
    "look-alike": lambda one: f"{one.differing} traits" if one.case == "lookalike" else "",
}
SHOWN = ("acc_present", "acc_absent", "false_yes_lookalike", "unsure", "cllr")


def split_figures(trials: Sequence[Presence], events_per_camera_day: int) -> dict[str, dict[str, Figures]]:
    """Figures by split and value; trials of which a split knows nothing are left out of it."""
    found: dict[str, dict[str, Figures]] = {}
    for name, value_of in _SPLITS.items():
        groups: dict[str, list[Presence]] = {}
        for one in trials:
            groups.setdefault(value_of(one), []).append(one)
        groups.pop("", None)
        found[name] = {
            value: {
                **presence_figures(groups[value], events_per_camera_day),
                "asked": float(len(groups[value])),
            }
            for value in sorted(groups)
        }
    return found


def _head(px: float) -> str:
    if px <= 0:
        return ""
    return "below 30 px" if px < 30 else "30 to 45 px" if px < 45 else "45 px and more"
