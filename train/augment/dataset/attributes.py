"""What can be said of a person's looks: read by installed models, told by the household, or unknown.

Attributes name a person in a generator's prompt, and are the answers about clothes. Nothing is guessed: a
reader that is not sure says `unknown`, and ordinary footage has no reader yet. Age group and gender
presentation are what the household says, never read off a face. Knows no files and no clips' names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.contract.errors import UsageError
from runtime.people.cluster import mean_template
from runtime.people.views import PersonView
from train.augment.bank_words import BOTTOM_PHRASES, TOP_PHRASES, garment
from train.base.signs import BODY_SIGNS
from train.base.trait_readout import TRAIT_SIZES
from train.base.world_data import COLOUR_NAMES
from train.model.pvchat import PVChat
from train.world.body import JOINTS
from train.world.palette import BOTTOM_COLOURS
from train.world.script import BOTTOM_KINDS, TOP_KINDS
from train.world.traits import HEAD_TRAITS, TRAITS

Frames = NDArray[np.uint8]
Floats = NDArray[np.float32]
UNKNOWN = "unknown"
AGE_GROUPS = ("child", "young", "middle-aged", "elderly")
GENDERS = ("female", "male")
_SURE, _SURE_OF_CLOTHES = 0.7, 0.95
"""Probabilities from which a reading counts. On 60 people nobody trained on, no reading of a head above the
first was wrong; above the second, none of clothes that were in view by day."""
_COLOURFUL = 2.0
"""Mean spread of the three channels (of 255) from which a picture has colours; infrared has none."""
_KNEE = 0.75
"""Where a knee is, as a share of the way from neck to foot."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """A person's looks in one clip; every value is a word, or `unknown`.

    Attributes:
        age_group, gender: of the paper's; one of `AGE_GROUPS`, `GENDERS`.
        hair_colour, hair_style, glasses, beard: as `train.world.traits` has them; "none" is not unknown.
        top_color, top_kind, bottom_color, bottom_kind: clothes in this clip.
    """

    age_group: str = UNKNOWN
    gender: str = UNKNOWN
    hair_colour: str = UNKNOWN
    hair_style: str = UNKNOWN
    glasses: str = UNKNOWN
    beard: str = UNKNOWN
    top_color: str = UNKNOWN
    top_kind: str = UNKNOWN
    bottom_color: str = UNKNOWN
    bottom_kind: str = UNKNOWN

    def known(self) -> dict[str, str]:
        """What is known, by name."""
        return {name: value for name, value in asdict(self).items() if value != UNKNOWN}

    def get(self, name: str) -> str | None:
        """One value; None where it is not known."""
        value = str(getattr(self, name))
        return None if value == UNKNOWN else value


class AttributeReader(Protocol):
    """Reads looks off one person of a clip.

    Attributes:
        source: what read them, for the datasheet.
    """

    source: str

    def read(self, views: Sequence[PersonView], frames: Frames) -> Attributes:
        """Of one person's views in frames uint8 (T, H, W, 3); what it is not sure of is `unknown`."""
        ...


class NoReader:
    """Ordinary footage without a model that could tell: everything is unknown."""

    source = "nothing installed"

    def read(self, views: Sequence[PersonView], frames: Frames) -> Attributes:
        """See `AttributeReader.read`."""
        return Attributes()


class TraitReader:
    """A base's own read-outs, for the rendered world, where nobody has an age or a gender."""

    source = "the base's read-outs"

    def __init__(self, model: PVChat) -> None:
        """Take over a base.

        Raises:
            UsageError: its groups of traits are not this world's.
        """
        if model.bridge.traits.sizes != TRAIT_SIZES:
            raise UsageError(
                f"this base reads traits of sizes {model.bridge.traits.sizes}, not {TRAIT_SIZES}.",
                "Use a base of this version.",
            )
        self._model = model

    def read(self, views: Sequence[PersonView], frames: Frames) -> Attributes:
        """See `AttributeReader.read`."""
        heads = [view for view in views if view.source == "head"]
        if not heads:
            return Attributes()
        colours = bool(np.ptp(frames[[view.frame for view in heads]], axis=-1).mean() >= _COLOURFUL)
        found = {**self._head(heads), **_clothes(heads, frames.shape[1])}
        if found.get("hair_style") == "bald":
            found["hair_colour"] = UNKNOWN
        if not colours:
            found |= dict.fromkeys(("hair_colour", "top_color", "bottom_color"), UNKNOWN)
        return Attributes(**{field.name: found.get(field.name, UNKNOWN) for field in fields(Attributes)})

    @torch.no_grad()
    def _head(self, views: Sequence[PersonView]) -> dict[str, str]:
        said = self._model.bridge.traits.read(torch.from_numpy(mean_template(views)[None]))[0]
        parts = torch.split(said, list(TRAIT_SIZES))
        return {
            name: _sure(torch.softmax(part, dim=-1).numpy(), TRAITS[name].values, _SURE)
            for name, part in zip(HEAD_TRAITS, parts, strict=True)
        }


def told(attributes: Attributes, said: Mapping[str, str | None]) -> Attributes:
    """The same with what the household says of itself, which counts more than any reading.

    Raises:
        UsageError: a value that there is not.
    """
    given = {name: value for name, value in said.items() if value is not None}
    for name, values in (("age_group", AGE_GROUPS), ("gender", GENDERS)):
        if given.get(name, values[0]) not in (*values, UNKNOWN):
            raise UsageError(f"{name} is {given[name]!r}.", f"Use one of {', '.join(values)}.")
    return replace(attributes, **given)


def described(attributes: Attributes) -> str:
    """A prompt's words for the person: "an elderly woman with grey curly hair, wearing a red sweater"."""
    known = attributes.known()
    nouns = {"female": ("girl", "woman"), "male": ("boy", "man")}.get(known.get("gender", ""))
    age = known.get("age_group")
    noun = (nouns or ("child", "person"))[0 if age == "child" else 1]
    who = f"{age} {noun}" if age not in (None, "child") else noun
    looks = [
        _hair(known),
        {"none": ""}.get(known.get("glasses", "none"), "glasses"),
        {"none": "", "full": "a full beard", "moustache": "a moustache"}.get(
            beard := known.get("beard", "none"), f"a {beard}"
        ),
    ]
    wears = [
        garment(known[f"{part}_color"], known[f"{part}_kind"], table)
        for part, table in (("top", TOP_PHRASES), ("bottom", BOTTOM_PHRASES))
        if f"{part}_color" in known and f"{part}_kind" in known
    ]
    text = f"{'an' if who[0] in 'aeiou' else 'a'} {who}"
    shown = [look for look in looks if look]
    text += f" with {' and '.join(shown)}" if shown else ""
    return text + (f", wearing {' and '.join(wears)}" if wears else "")


def _hair(known: Mapping[str, str]) -> str:
    if known.get("hair_style") == "bald":
        return "a bald head"
    words = [known.get("hair_colour", ""), known.get("hair_style", "").replace("_", " ")]
    return " ".join([*(word for word in words if word), "hair"]) if any(words) else ""


def _clothes(views: Sequence[PersonView], height_px: int) -> dict[str, str]:
    """Clothes from the views' signs; what is worn below counts where the knees are in the picture."""
    signed = [
        view for view in views if view.signs is not None and len(view.signs) >= sum(BODY_SIGNS.values())
    ]
    if not signed:
        return {}
    signs = np.stack([view.signs for view in signed if view.signs is not None])
    ends = np.cumsum(list(BODY_SIGNS.values()))
    parts = dict(zip(BODY_SIGNS, np.split(signs, ends, axis=1), strict=False))
    found = {
        name: _sure(_mean_shares(parts[part]), values, _SURE_OF_CLOTHES)
        for name, part, values in (
            ("top_color", "top", COLOUR_NAMES),
            ("top_kind", "kind", TOP_KINDS),
            ("bottom_color", "bottom", BOTTOM_COLOURS),
            ("bottom_kind", "bottom_kind", BOTTOM_KINDS),
        )
    }
    head = np.array([view.head for view in signed])
    down = parts["joints"].reshape(len(signed), len(JOINTS), 2)[..., 1]
    neck, *feet = (down[:, JOINTS.index(name)] for name in ("neck", "left_foot", "right_foot"))
    knees = neck + _KNEE * (np.mean(feet, axis=0) - neck)
    if float(np.median(head[:, 1] + head[:, 3] / 2 + knees * head[:, 3])) >= height_px:
        found |= {"bottom_color": UNKNOWN, "bottom_kind": UNKNOWN}
    return found


def _mean_shares(logits: Floats) -> Floats:
    """(N, values) to the mean probability of each."""
    return torch.softmax(torch.from_numpy(logits), dim=-1).mean(dim=0).numpy()


def _sure(shares: Floats, values: Sequence[str], least: float) -> str:
    best = int(shares.argmax())
    return values[best] if float(shares[best]) >= least else UNKNOWN
