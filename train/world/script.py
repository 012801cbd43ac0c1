"""Scripts: everything that a clip shows, as data, to and from JSON.

Knows no drawing. The schema is documented in docs/world.md; `VERSION` grows when a reader must change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from types import MappingProxyType

from runtime.contract.errors import ContentError
from train.world.palette import CLOTH
from train.world.pose import ACTIONS
from train.world.traits import Identity, identity_from_json

VERSION = 1
WIDTH_PX = 384
HEIGHT_PX = 288
ROOM_KINDS: tuple[str, ...] = ("kitchen", "living_room", "bedroom", "bathroom", "hallway")
ROOM_PHRASES: Mapping[str, str] = MappingProxyType(
    {
        "kitchen": "the kitchen",
        "living_room": "the living room",
        "bedroom": "the bedroom",
        "bathroom": "the bathroom",
        "hallway": "the hallway",
    }
)
TOP_KINDS: tuple[str, ...] = ("t-shirt", "shirt", "sweater", "striped")
BOTTOM_KINDS: tuple[str, ...] = ("trousers", "skirt")
PROPS: tuple[str, ...] = ("none", "cup", "bowl", "broom", "box")
FOREGROUNDS: tuple[str, ...] = ("plant", "table", "door", "post")


@dataclass(frozen=True, slots=True)
class Clothes:
    """What somebody wears in this clip; colours are names of `palette.CLOTH`."""

    top_colour: str
    top_kind: str
    bottom_colour: str
    bottom_kind: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person in a clip.

    `x_px`, `foot_y_px`: where the feet are at t = 0, in room pixels (the room plane is 384 x 288 before the
    camera). `scale`: room pixels per centimetre. `facing_deg`: 0 to the camera, 90 to the image's right,
    180 away from it. `speed_cm_s`: sideways walk, negative to the left. `chair`: a chair stands there.
    `prop`: in the hands.
    """

    person_id: str
    identity: Identity
    clothes: Clothes
    action: str
    x_px: float
    foot_y_px: float
    scale: float
    facing_deg: float
    speed_cm_s: float
    phase_rad: float
    chair: bool
    prop: str


@dataclass(frozen=True, slots=True)
class Room:
    """A room: its kind, colours (RGB 0..255), the seed of its furniture, who is on a photo on the wall.

    `foreground`: what stands between camera and people, each `name` or `name:x` with x in room pixels.
    """

    kind: str
    wall_rgb: tuple[int, int, int]
    floor_rgb: tuple[int, int, int]
    layout_seed: int
    foreground: tuple[str, ...] = ()
    photo: Identity | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """The view: `zoom` pixels a room pixel, the room point in the middle of the picture, the roll."""

    zoom: float
    centre_x_px: float
    centre_y_px: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class Light:
    """Light and sensor.

    `brightness`: gain. `tint_rgb`: gain of each channel. `lamp_*`: a bright place in frame pixels and its
    strength 0..1. `night`: infrared. `noise_sigma`: 0..255. `jpeg_quality`: 0 for none, else 1..100.
    `blur_sigma_px`: 0 for none.
    """

    brightness: float
    tint_rgb: tuple[float, float, float]
    lamp_x_px: float
    lamp_y_px: float
    lamp_strength: float
    night: bool
    noise_sigma: int
    jpeg_quality: int
    blur_sigma_px: float


@dataclass(frozen=True, slots=True)
class Script:
    """One clip. `started_at`: POSIX seconds of its first frame. An empty `people` is an empty room."""

    clip_id: str
    seed: int
    room: Room
    camera: Camera
    light: Light
    people: tuple[Person, ...]
    duration_s: float
    fps: float
    started_at: float = 0.0
    version: int = VERSION


def script_to_json(script: Script) -> dict[str, object]:
    """A dictionary of plain JSON values."""
    return asdict(script)


def script_from_json(data: Mapping[str, object]) -> Script:
    """Reads what `script_to_json` wrote."""
    version = data.get("version")
    if version != VERSION:
        raise ContentError(
            f"a script of version {version!r} cannot be read here.", f"Write version {VERSION}."
        )
    try:
        people = data["people"]
        if not isinstance(people, list | tuple):
            raise ContentError(f"people is {type(people).__name__}, not a list.", "Write a list of people.")
        return Script(
            clip_id=str(data["clip_id"]),
            seed=_integer(data["seed"]),
            room=_room(_mapping(data["room"])),
            camera=_camera(_mapping(data["camera"])),
            light=_light(_mapping(data["light"])),
            people=tuple(_person(_mapping(person)) for person in people),
            duration_s=_positive(data["duration_s"], "duration_s"),
            fps=_positive(data["fps"], "fps"),
            started_at=_number(data["started_at"]),
        )
    except (KeyError, TypeError) as error:
        raise ContentError(f"the script lacks or misnames a field: {error}.", "See docs/world.md.") from error


def _camera(data: Mapping[str, object]) -> Camera:
    camera = Camera(**{name: _number(value) for name, value in data.items()})
    _positive(camera.zoom, "zoom")
    return camera


def _light(data: Mapping[str, object]) -> Light:
    return Light(
        brightness=_number(data["brightness"]),
        tint_rgb=_triple(data["tint_rgb"]),
        lamp_x_px=_number(data["lamp_x_px"]),
        lamp_y_px=_number(data["lamp_y_px"]),
        lamp_strength=_number(data["lamp_strength"]),
        night=bool(data["night"]),
        noise_sigma=_integer(data["noise_sigma"]),
        jpeg_quality=_integer(data["jpeg_quality"]),
        blur_sigma_px=_number(data["blur_sigma_px"]),
    )


def _room(data: Mapping[str, object]) -> Room:
    photo = data.get("photo")
    foreground = data.get("foreground", [])
    if not isinstance(foreground, list | tuple):
        raise ContentError(f"foreground is {foreground!r}, not a list.", "Write a list of names.")
    wall, floor = _triple(data["wall_rgb"]), _triple(data["floor_rgb"])
    return Room(
        kind=_known(data["kind"], ROOM_KINDS, "room"),
        wall_rgb=(int(wall[0]), int(wall[1]), int(wall[2])),
        floor_rgb=(int(floor[0]), int(floor[1]), int(floor[2])),
        layout_seed=_integer(data["layout_seed"]),
        foreground=tuple(_foreground(name) for name in foreground),
        photo=None if photo is None else identity_from_json(_mapping(photo)),
    )


def _person(data: Mapping[str, object]) -> Person:
    numbers = ("x_px", "foot_y_px", "scale", "facing_deg", "speed_cm_s", "phase_rad")
    clothes = Clothes(**{name: str(value) for name, value in _mapping(data["clothes"]).items()})
    _known(clothes.top_colour, CLOTH, "top_colour")
    _known(clothes.top_kind, TOP_KINDS, "top_kind")
    _known(clothes.bottom_colour, CLOTH, "bottom_colour")
    _known(clothes.bottom_kind, BOTTOM_KINDS, "bottom_kind")
    _positive(data["scale"], "scale")
    return Person(
        person_id=str(data["person_id"]),
        identity=identity_from_json(_mapping(data["identity"])),
        clothes=clothes,
        action=_known(data["action"], ACTIONS, "action"),
        chair=bool(data["chair"]),
        prop=_known(data["prop"], PROPS, "prop"),
        **{name: _number(data[name]) for name in numbers},
    )


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ContentError(f"{value!r} is not a JSON object.", "See docs/world.md.")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContentError(f"{value!r} is not a number.", "See docs/world.md.")
    if not isfinite(value):
        raise ContentError(f"{value!r} is not a finite number.", "See docs/world.md.")
    return float(value)


def _positive(value: object, name: str) -> float:
    number = _number(value)
    if number <= 0:
        raise ContentError(f"{name} is {number:g}.", "Write a number above 0.")
    return number


def _known(value: object, options: Iterable[str], name: str) -> str:
    text = str(value)
    if text not in options:
        raise ContentError(f"{name} is {text!r}.", f"Use one of {', '.join(options)}.")
    return text


def _foreground(entry: object) -> str:
    name, _, place = str(entry).partition(":")
    _known(name, FOREGROUNDS, "foreground")
    try:
        _number(float(place or 0.0))
    except ValueError as error:
        raise ContentError(
            f"foreground is {entry!r}.", "Write a name, or a name, a colon and room pixels."
        ) from error
    return str(entry)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ContentError(f"{value!r} is not a whole number.", "See docs/world.md.")
    return value


def _triple(value: object) -> tuple[float, float, float]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ContentError(f"{value!r} is not three numbers.", "See docs/world.md.")
    return (_number(value[0]), _number(value[1]), _number(value[2]))
