"""Sketches: lists of polygons and lines in a plane, moved by 2x3 matrices, painted with antialiasing.

Knows no people and no rooms; a sketch has no order but that of its parts.
"""

from collections.abc import Sequence
from functools import cache
from math import cos, hypot, pi, sin
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from train.world.palette import Colour

Points = NDArray[np.float32]  # (N, 2): x, y
Matrix = NDArray[np.float32]  # (2, 3): plane to plane
Frame = NDArray[np.uint8]  # (H, W, 3) RGB

_SHIFT = 4  # fractional bits of the coordinates given to the rasteriser


class Part(NamedTuple):
    """One polygon (width 0) or one line (width in the units of its plane)."""

    points: Points
    colour: Colour
    width: float
    closed: bool


@cache
def unit_circle(count: int) -> Points:
    """float32 (count, 2), points on the unit circle."""
    turn = np.arange(count, dtype=np.float64) * (2 * pi / count)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


@cache
def _unit_half_circle() -> Points:
    turn = np.linspace(-pi / 2, pi / 2, 7)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


def _pair(x: float, y: float) -> Points:
    return np.array([x, y], dtype=np.float32)


def hull(points: Sequence[tuple[float, float]]) -> Points:
    """The convex outline of the points, float32 (N, 2)."""
    outline = cv2.convexHull(np.asarray(points, dtype=np.float32))
    return outline.reshape(-1, 2).astype(np.float32, copy=False)


class Sketch:
    """An ordered list of parts; later parts cover earlier ones."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[Part] | None = None) -> None:
        self.parts: list[Part] = [] if parts is None else parts

    def fill(self, points: Sequence[tuple[float, float]] | Points, colour: Colour) -> None:
        """A filled polygon."""
        self.parts.append(Part(np.asarray(points, dtype=np.float32), colour, 0.0, True))

    def line(
        self,
        points: Sequence[tuple[float, float]] | Points,
        colour: Colour,
        width: float,
        closed: bool = False,
    ) -> None:
        """A line of this width (at least one pixel when painted)."""
        self.parts.append(Part(np.asarray(points, dtype=np.float32), colour, width, closed))

    def rect(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """A filled upright rectangle."""
        self.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, count: int = 16) -> None:
        """A filled upright ellipse."""
        self.fill(unit_circle(count) * _pair(rx, ry) + _pair(x, y), colour)

    def capsule(
        self, a: tuple[float, float], b: tuple[float, float], radius_a: float, radius_b: float, colour: Colour
    ) -> None:
        """A limb: two half circles of these radii, joined."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = hypot(dx, dy)
        ux, uy = (dx / length, dy / length) if length > 1e-6 else (1.0, 0.0)
        turn = np.array([[ux, uy], [-uy, ux]], dtype=np.float32)
        arc = _unit_half_circle()
        far = (arc * np.float32(radius_b)) @ turn + _pair(*b)
        near = (-arc * np.float32(radius_a)) @ turn + _pair(*a)
        self.parts.append(Part(np.concatenate([far, near]), colour, 0.0, True))

    def add(self, other: "Sketch") -> None:
        """The parts of another sketch, on top."""
        self.parts.extend(other.parts)

    def stacked(self) -> Points:
        """All points, float32 (N, 2)."""
        if not self.parts:
            return np.zeros((0, 2), dtype=np.float32)
        return np.concatenate([part.points for part in self.parts])

    def moved(self, matrix: Matrix) -> "Sketch":
        """The sketch in another plane; line widths scale along."""
        if not self.parts:
            return Sketch()
        points = transform(self.stacked(), matrix)
        scale = scale_of(matrix)
        moved: list[Part] = []
        start = 0
        for part in self.parts:
            end = start + len(part.points)
            moved.append(Part(points[start:end], part.colour, part.width * scale, part.closed))
            start = end
        return Sketch(moved)


def transform(points: Points, matrix: Matrix) -> Points:
    """float32 (N, 2) through a 2x3 matrix."""
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def placement(x: float, y: float, scale: float, roll_rad: float = 0.0) -> Matrix:
    """The matrix that turns by `roll_rad`, scales, and moves the origin to (x, y)."""
    c, s = cos(roll_rad) * scale, sin(roll_rad) * scale
    return np.array([[c, -s, x], [s, c, y]], dtype=np.float32)


def scale_of(matrix: Matrix) -> float:
    """How much longer lengths get through the matrix."""
    return float(hypot(matrix[0, 0], matrix[1, 0]))


def paint(frame: Frame, sketch: Sketch, matrix: Matrix) -> None:
    """Draws the sketch into uint8 (H, W, 3), in place; `matrix` leads to pixels."""
    if not sketch.parts:
        return
    scale = scale_of(matrix)
    pixels = np.rint(transform(sketch.stacked(), matrix) * np.float32(1 << _SHIFT)).astype(np.int32)
    start = 0
    for part in sketch.parts:
        end = start + len(part.points)
        polygon = pixels[start:end]
        start = end
        if part.width > 0.0:
            thickness = max(1, round(part.width * scale))
            cv2.polylines(frame, [polygon], part.closed, part.colour, thickness, cv2.LINE_AA, _SHIFT)
        else:
            cv2.fillPoly(frame, [polygon], part.colour, cv2.LINE_AA, _SHIFT)
