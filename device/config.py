"""The box's own settings: rooms, cameras, limits, network. Knows no cameras and no store.

The file is `config/device.toml` in the home folder; what it leaves out has the defaults below.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runtime.address import network_address
from runtime.contract.errors import ConfigError
from runtime.contract.household import fold
from runtime.contract.settings import load_settings
from runtime.http.settings import HttpConfig
from runtime.keys import check_key
from runtime.logs import LogFormat

CameraKind = Literal["replay", "rtsp", "v4l2"]
MAX_CAMERAS = 16
_CAMERA_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,31}$")


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """One camera.

    Attributes:
        name: short and plain (a-z, 0-9, - and _): it names evidence pictures.
        room: one of `rooms`.
        kind: `replay` plays files, `rtsp` reads a network stream, `v4l2` a device of this box.
        path: the file (replay) or the device, such as /dev/video0 (v4l2); relative to the settings file.
        paths: more files for replay, played one after another.
        url: the stream (rtsp); may hold a password, so it is never logged.
        loop: replay starts again at the end.
    """

    name: str
    room: str
    kind: CameraKind
    path: str = ""
    paths: tuple[str, ...] = ()
    url: str = field(default="", repr=False)
    loop: bool = True

    def __post_init__(self) -> None:
        if not _CAMERA_NAME.fullmatch(self.name):
            raise ValueError(f"camera name {self.name!r} must be 1 to 32 of a-z, 0-9, - and _")
        if self.kind == "rtsp" and not self.url.startswith(("rtsp://", "rtsps://", "http://", "https://")):
            raise ValueError(f"camera {self.name!r} of kind rtsp needs url = 'rtsp://…'")
        if self.kind == "replay" and not self.files:
            raise ValueError(f"camera {self.name!r} of kind replay needs path = 'file.mp4'")
        if self.kind == "v4l2" and not self.path:
            raise ValueError(f"camera {self.name!r} of kind v4l2 needs path = '/dev/video0'")

    @property
    def files(self) -> tuple[Path, ...]:
        """`path` and `paths` together."""
        return tuple(Path(one) for one in ((self.path,) if self.path else ()) + self.paths)


@dataclass(frozen=True, slots=True)
class Limits:
    """How old, how long, how much.

    Attributes:
        max_frame_age_ms: an answer needs frames younger than this.
        ask_timeout_ms: time for one question when the asker names none.
        enrol_timeout_ms: time for learning one person.
        runtime_start_timeout_ms: time for the runtime to load its engines.
        runtime_idle_exit_s: a runtime that the command line started ends after this time without work.
        evidence_keep_s: evidence pictures older than this are deleted.
        evidence_max_files: never more evidence pictures than this.
        watch_every_ms: every live camera is looked at so often, where the box is fast enough.
    """

    max_frame_age_ms: int = 5_000
    ask_timeout_ms: int = 20_000
    enrol_timeout_ms: int = 120_000
    runtime_start_timeout_ms: int = 20_000
    runtime_idle_exit_s: int = 600
    evidence_keep_s: int = 7 * 24 * 3600
    evidence_max_files: int = 2_000
    watch_every_ms: int = 500

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if not 0 < value <= 10**9:
                raise ValueError(f"{item.name} must be above 0, got {value}")
        for name in ("ask_timeout_ms", "enrol_timeout_ms"):
            if getattr(self, name) > 600_000:
                raise ValueError(f"{name} may be 600000 at most, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Network:
    """Who may ask whom over a network; see `pvchat-edge keys`.

    Attributes:
        listen: tcp://HOST:PORT at which other machines may ask this box; empty: none may.
        box: tcp://HOST:PORT of the box that this machine asks; empty: this machine is the box.
        box_key: that box's public key.
    """

    listen: str = ""
    box: str = ""
    box_key: str = ""

    def __post_init__(self) -> None:
        for endpoint in (self.listen, self.box):
            if endpoint:
                network_address(endpoint)
        if self.box:
            check_key(self.box_key)


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Rooms, cameras, limits, network and HTTP server of one home.

    Attributes:
        rooms: as people say them ("kitchen", "living room").
        cameras: each in one of the rooms; several may share a room.
        log: how the daemon and its runtime write their log.
    """

    rooms: tuple[str, ...] = ()
    cameras: tuple[CameraConfig, ...] = ()
    limits: Limits = field(default_factory=Limits)
    network: Network = field(default_factory=Network)
    http: HttpConfig = field(default_factory=HttpConfig)
    log: LogFormat = "text"

    def __post_init__(self) -> None:
        folded = [fold(room) for room in self.rooms]
        names = [camera.name for camera in self.cameras]
        for what, values in (("room", folded), ("camera", names)):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} {twice!r} is there twice")
        if len(self.cameras) > MAX_CAMERAS:
            raise ValueError(f"{len(self.cameras)} cameras are more than {MAX_CAMERAS}")
        for camera in self.cameras:
            if camera.room not in self.rooms:
                raise ValueError(f"camera {camera.name!r} is in room {camera.room!r}, which is not in rooms")

    def cameras_in(self, room: str | None) -> tuple[CameraConfig, ...]:
        """The cameras of one room; with None, all of them."""
        return tuple(camera for camera in self.cameras if room is None or camera.room == room)


def load_config(path: Path) -> DeviceConfig:
    """Read the settings; without a file, the defaults (no rooms, no cameras). File paths come out absolute.

    Raises:
        ConfigError: not TOML, an unknown key, a wrong value; the file and the value are named.
    """
    if not path.exists():
        return DeviceConfig()
    config = load_settings(path, DeviceConfig)
    folder = path.parent.absolute()
    http = dataclasses.replace(
        config.http,
        token_file=str(folder / config.http.token_file) if config.http.token_file else "",
        clip_folders=tuple(str(folder / one) for one in config.http.clip_folders),
    )
    cameras = tuple(_anchored(camera, folder) for camera in config.cameras)
    return dataclasses.replace(config, cameras=cameras, http=http)


def _anchored(camera: CameraConfig, folder: Path) -> CameraConfig:
    path = str(folder / camera.path) if camera.path else ""
    return dataclasses.replace(camera, path=path, paths=tuple(str(folder / one) for one in camera.paths))


def template() -> str:
    """The commented settings file that `init` writes.

    Raises:
        ConfigError: the installed package lacks it.
    """
    import configs

    path = Path(str(configs.__file__)).parent / "device" / "default.toml"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.", "Install pvchat-edge again.") from error
