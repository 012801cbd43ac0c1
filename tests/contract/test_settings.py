"""Claims about configuration files: a mistake is named, with the file, the key and the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.contract.errors import ConfigError
from runtime.contract.settings import load_settings, parse_settings


@dataclass(frozen=True, slots=True)
class Inner:
    timeout_ms: int
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    inner: Inner
    kind: Literal["warm", "cold"] = "warm"
    rooms: tuple[str, ...] = ()
    many: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = field(default_factory=dict)
    path: Path | None = None
    loud: bool = False
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be 0 to 1, got {self.share}")


def good(**changes: Any) -> dict[str, Any]:
    return {"name": "box", "inner": {"timeout_ms": 5}, **changes}


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_settings(data, Outer, where="home.toml")
    assert str(caught.value).startswith("home.toml")
    return str(caught.value)


def test_a_whole_file_becomes_the_dataclass(tmp_path: Path) -> None:
    file = tmp_path / "home.toml"
    file.write_text(
        'name = "Küche"\nkind = "cold"\nrooms = ["a", "b"]\npath = "clips/x.mp4"\nshare = 1\n'
        "[inner]\ntimeout_ms = 7\nrate = 2\n[[many]]\ntimeout_ms = 1\n[by_name.x]\ntimeout_ms = 2\n"
    )
    assert load_settings(file, Outer) == Outer(
        name="Küche",
        inner=Inner(7, 2.0),
        kind="cold",
        rooms=("a", "b"),
        many=(Inner(1),),
        by_name={"x": Inner(2)},
        path=Path("clips/x.mp4"),
        share=1.0,
    )


def test_an_unknown_key_is_told_the_nearest_known_one() -> None:
    assert "unknown key 'rooom'. Did you mean 'rooms'?" in refused(good(rooom=[]))


def test_an_unknown_key_like_no_other_is_told_all_known_ones() -> None:
    told = refused(good(zzzzzz=1))
    assert all(name in told for name in Outer.__dataclass_fields__)


def test_a_mistake_in_a_nested_table_is_told_with_its_path() -> None:
    assert "home.toml: inner: unknown key 'timeout_s'. Did you mean 'timeout_ms'?" in refused(
        {"name": "x", "inner": {"timeout_s": 1}}
    )
    assert "home.toml: inner: timeout_ms must be int, got 'soon'" in refused(
        {"name": "x", "inner": {"timeout_ms": "soon"}}
    )
    assert "by_name.cam: missing key 'timeout_ms'" in refused(good(by_name={"cam": {}}))


def test_a_missing_key_is_named() -> None:
    assert "missing key 'inner'" in refused({"name": "x"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": 3}, "name must be str, got 3"),
        ({"inner": 3}, "inner must be a table, got 3"),
        ({"rooms": "kitchen"}, "rooms must be a list, got 'kitchen'"),
        ({"rooms": [1]}, "rooms must be str, got 1"),
        ({"by_name": []}, "by_name must be a table, got []"),
        ({"kind": "hot"}, "kind is 'hot'. Choose one of ('warm', 'cold')"),
        ({"loud": 1}, "loud must be bool, got 1"),
        ({"share": "half"}, "share must be float, got 'half'"),
        ({"share": True}, "share must be float, got True"),
        ({"inner": {"timeout_ms": True}}, "timeout_ms must be int, got True"),
        ({"inner": {"timeout_ms": 1.5}}, "timeout_ms must be int, got 1.5"),
        ({"share": 2.0}, "share must be 0 to 1, got 2.0"),
    ],
)
def test_a_wrong_value_is_refused_with_the_value(changes: dict[str, Any], said: str) -> None:
    assert said in refused(good(**changes))


def test_a_missing_file_and_one_that_is_no_toml_are_refused(tmp_path: Path) -> None:
    broken, latin = tmp_path / "broken.toml", tmp_path / "latin.toml"
    broken.write_text("name = ")
    latin.write_bytes(b'name = "K\xfcche"')
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(tmp_path / "none.toml", Outer)
    for file in (broken, latin):
        with pytest.raises(ConfigError, match="is not TOML"):
            load_settings(file, Outer)


values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from([*Outer.__dataclass_fields__, "other"]), values, max_size=3))
def test_any_table_at_all_is_either_taken_or_refused_as_configuration(data: dict[str, Any]) -> None:
    try:
        parsed = parse_settings({**good(), **data}, Outer, where="home.toml")
    except ConfigError as error:
        assert "home.toml" in error.message
    else:
        assert isinstance(parsed, Outer) and isinstance(parsed.inner, Inner)
