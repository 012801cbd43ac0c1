"""The box's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.config import DeviceConfig, load_config, template
from runtime.contract.errors import ConfigError

CAMERA = 'rooms = ["kitchen"]\n[[cameras]]\nname = "k1"\nroom = "kitchen"\nkind = "replay"\npath = "a.mp4"\n'


def _load(tmp_path: Path, text: str) -> DeviceConfig:
    path = tmp_path / "device.toml"
    path.write_text(text)
    return load_config(path)


def test_the_template_means_what_the_defaults_mean(tmp_path: Path) -> None:
    config = _load(tmp_path, template())
    assert config.limits == DeviceConfig().limits
    assert config.cameras == ()
    assert config.rooms == ("kitchen", "living room")


def test_everything_in_the_template_works_once_its_comment_marks_are_removed(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("# ") if line.startswith("# ") and ("=" in line or "[[" in line) else line
        for line in template().splitlines()
    ]
    config = _load(tmp_path, "\n".join(lines))
    assert [camera.kind for camera in config.cameras] == ["rtsp", "v4l2", "replay"]
    assert [len(camera.files) for camera in config.cameras] == [0, 1, 2]
    assert config.network.listen == config.network.box == "tcp://192.168.1.10:7700"


def test_a_missing_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path / "none.toml") == DeviceConfig()


def test_a_relative_path_starts_at_the_settings_file(tmp_path: Path) -> None:
    camera = _load(tmp_path, CAMERA + 'paths = ["/b.mp4", "c.mp4"]').cameras[0]
    assert camera.files == (tmp_path / "a.mp4", Path("/b.mp4"), tmp_path / "c.mp4")


def test_cameras_of_one_room_are_found(tmp_path: Path) -> None:
    config = _load(tmp_path, CAMERA)
    assert [camera.name for camera in config.cameras_in("kitchen")] == ["k1"]
    assert config.cameras_in("cellar") == ()
    assert config.cameras_in(None) == config.cameras


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("romms = []", "Did you mean 'rooms'"),
        (CAMERA + 'pth = "x"', "Did you mean 'path'"),
        (CAMERA.replace('room = "kitchen"', 'room = "attic"'), "attic"),
        (CAMERA.replace('"k1"', '"K 1"'), "K 1"),
        (CAMERA.replace('"replay"', '"film"'), "replay"),
        (CAMERA.replace('path = "a.mp4"\n', ""), "needs path"),
        (CAMERA.replace('"replay"', '"rtsp"'), "needs url"),
        (CAMERA + CAMERA.partition("\n")[2], "twice"),
        ('rooms = ["Kitchen", "kitchen"]', "twice"),
        ("[limits]\nask_timeout_ms = 0", "above 0"),
        ("[limits]\nask_timeout_ms = 600001", "600000"),
        ("[limits]\nask_timeout_ms = true", "int"),
        ("rooms = [", "not TOML"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        _load(tmp_path, text)
    assert str(tmp_path) in str(caught.value)


def test_a_cameras_password_is_in_no_representation(tmp_path: Path) -> None:
    text = CAMERA.replace('"replay"', '"rtsp"') + 'url = "rtsp://me:sesame@10.0.0.2/1"'
    config = _load(tmp_path, text)
    assert config.cameras[0].url.endswith("@10.0.0.2/1")
    assert "sesame" not in repr(config)
