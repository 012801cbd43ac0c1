"""Identities: the traits that stay with a person from clip to clip, drawn at random and compared.

Knows no drawing and no clothes; clothes are not identity.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from runtime.contract.errors import ContentError, UsageError
from train.world.palette import EYES, HAIR, SKIN

Split = Literal["train", "test"]

HEIGHT_CM = (120.0, 195.0)


@dataclass(frozen=True, slots=True)
class Trait:
    """What one trait may be and what is needed to see it.

    `min_head_px`: head height from which it can be told. `needs_colour`: lost under infrared.
    `max_yaw_deg`: how far the head may be turned away. `alike`: pairs of values too close for a look-alike.
    """

    name: str
    values: tuple[str, ...]
    where: Literal["head", "body"]
    min_head_px: float
    needs_colour: bool = False
    max_yaw_deg: float = 180.0
    alike: frozenset[frozenset[str]] = frozenset()


def _pairs(*pairs: tuple[str, str]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair) for pair in pairs)


_TABLE = (
    Trait(
        "face_shape",
        ("oval", "round", "square", "pointed", "long"),
        "head",
        30.0,
        max_yaw_deg=60.0,
        alike=_pairs(("oval", "pointed")),
    ),
    Trait(
        "skin_tone",
        tuple(SKIN),
        "head",
        20.0,
        max_yaw_deg=140.0,
        needs_colour=True,
        alike=_pairs(
            ("porcelain", "light"), ("light", "olive"), ("olive", "tan"), ("tan", "brown"), ("brown", "dark")
        ),
    ),
    Trait(
        "hair_colour",
        tuple(HAIR),
        "head",
        20.0,
        needs_colour=True,
        alike=_pairs(
            ("black", "brown"),
            ("brown", "auburn"),
            ("auburn", "ginger"),
            ("grey", "white"),
            ("blond", "ginger"),
        ),
    ),
    Trait(
        "hair_style",
        ("bald", "buzz", "side_part", "curly", "long", "bun", "ponytail", "bob", "spiky"),
        "head",
        22.0,
        alike=_pairs(("ponytail", "bun"), ("ponytail", "buzz")),
    ),
    Trait(
        "eyebrows",
        ("thin", "thick", "slanted"),
        "head",
        40.0,
        max_yaw_deg=65.0,
        alike=_pairs(("thick", "slanted")),
    ),
    Trait(
        "eye_colour",
        tuple(EYES),
        "head",
        50.0,
        max_yaw_deg=60.0,
        needs_colour=True,
        alike=_pairs(("green", "grey"), ("blue", "grey")),
    ),
    Trait(
        "glasses",
        ("none", "round", "square", "thick"),
        "head",
        28.0,
        max_yaw_deg=80.0,
        alike=_pairs(("round", "square")),
    ),
    Trait(
        "beard",
        ("none", "stubble", "moustache", "goatee", "full"),
        "head",
        28.0,
        max_yaw_deg=80.0,
        alike=_pairs(("none", "stubble"), ("moustache", "goatee")),
    ),
    Trait("nose", ("small", "long", "wide"), "head", 40.0, max_yaw_deg=100.0),
    Trait(
        "mouth", ("narrow", "wide", "full"), "head", 40.0, max_yaw_deg=65.0, alike=_pairs(("narrow", "full"))
    ),
    Trait("build", ("slim", "average", "heavy"), "body", 20.0),
    Trait("manner", ("brisk", "relaxed", "stooped"), "body", 20.0),
)
TRAITS: Mapping[str, Trait] = MappingProxyType({trait.name: trait for trait in _TABLE})
HEAD_TRAITS: tuple[str, ...] = tuple(trait.name for trait in _TABLE if trait.where == "head")
BODY_TRAITS: tuple[str, ...] = ("height_cm", *(trait.name for trait in _TABLE if trait.where == "body"))
HEIGHT_STEP_CM = 12.0  # heights closer than this count as the same trait


@dataclass(frozen=True, slots=True)
class Identity:
    """One person's lasting looks; every categorical value is one of `TRAITS[name].values`."""

    face_shape: str
    skin_tone: str
    hair_colour: str
    hair_style: str
    eyebrows: str
    eye_colour: str
    glasses: str
    beard: str
    nose: str
    mouth: str
    height_cm: float
    build: str
    manner: str


def check_identity(identity: Identity) -> Identity:
    """The identity itself, or an error that names the value that is not in the table."""
    for name, trait in TRAITS.items():
        value = getattr(identity, name)
        if value not in trait.values:
            raise ContentError(f"trait {name} is {value!r}; use one of {', '.join(trait.values)}")
    low, high = HEIGHT_CM
    if not low <= identity.height_cm <= high:
        raise ContentError(f"height_cm is {identity.height_cm!r}; use {low:g} to {high:g}")
    return identity


def identity_from_json(data: Mapping[str, object]) -> Identity:
    """Reads what `identity_to_json` wrote."""
    names = {field.name for field in fields(Identity)}
    missing = sorted(names - set(data))
    if missing:
        raise ContentError(f"identity lacks {', '.join(missing)}; write all of {', '.join(sorted(names))}")
    values = {name: data[name] for name in names}
    height = values["height_cm"]
    if isinstance(height, bool) or not isinstance(height, int | float):
        raise ContentError(f"height_cm is {height!r}; write a number of centimetres")
    texts = {name: str(value) for name, value in values.items() if name != "height_cm"}
    return check_identity(Identity(**texts, height_cm=float(height)))


def identity_to_json(identity: Identity) -> dict[str, object]:
    """A plain dictionary, one entry a trait."""
    return asdict(identity)


def split_of(identity: Identity) -> Split:
    """The side of an identity, by one hash bit of its head traits: the two sides can never share a head."""
    text = "|".join(str(getattr(identity, name)) for name in HEAD_TRAITS)
    return "train" if hashlib.sha256(text.encode()).digest()[0] % 2 == 0 else "test"


def _draw(rng: np.random.Generator) -> Identity:
    picked = {name: trait.values[int(rng.integers(len(trait.values)))] for name, trait in TRAITS.items()}
    return Identity(**picked, height_cm=round(float(rng.uniform(*HEIGHT_CM)), 1))


def sample_identity(rng: np.random.Generator, split: Split | None = None) -> Identity:
    """A person at random, all traits independent; with `split`, redrawn until its hash is on that side."""
    identity = _draw(rng)
    while split is not None and split_of(identity) != split:
        identity = _draw(rng)
    return identity


def differing_traits(first: Identity, second: Identity) -> tuple[str, ...]:
    """Names of the traits that differ, head traits first; heights differ from 12 cm on."""
    names = [name for name in TRAITS if getattr(first, name) != getattr(second, name)]
    if abs(first.height_cm - second.height_cm) >= HEIGHT_STEP_CM:
        names.append("height_cm")
    return tuple(names)


def _other_values(name: str, value: str, avoid: Sequence[str] = ()) -> tuple[str, ...]:
    trait = TRAITS[name]
    return tuple(
        other
        for other in trait.values
        if other != value and other not in avoid and frozenset((other, value)) not in trait.alike
    )


def look_alike(identity: Identity, differing: int, rng: np.random.Generator) -> Identity:
    """Somebody who differs in exactly `differing` (1 to 5) head traits, visibly in each, and in nothing else.

    The look-alike stays on the same side of the train/test split. Hair colour never differs for somebody
    bald.
    """
    if not 1 <= differing <= 5:
        raise UsageError(f"differing is {differing}; ask for 1 to 5 head traits")
    bald = identity.hair_style == "bald"
    names = [name for name in HEAD_TRAITS if not (bald and name == "hair_colour")]
    while True:
        chosen = [names[int(index)] for index in rng.choice(len(names), size=differing, replace=False)]
        avoid = ("bald",) if "hair_colour" in chosen else ()
        changes: dict[str, Any] = {}
        for name in chosen:
            options = _other_values(name, getattr(identity, name), avoid if name == "hair_style" else ())
            changes[name] = options[int(rng.integers(len(options)))]
        other = replace(identity, **changes)
        if split_of(other) == split_of(identity):
            return other
