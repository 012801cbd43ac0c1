"""Claims about models of others: fetched in pieces, checked to the byte, never half installed."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from device import checkup
from device.cli.main import main
from device.models.pull import pull
from device.paths import Home
from runtime import registry as registry_module
from runtime.contract.errors import ContentError, EngineError, StoreError, UnavailableError, UsageError
from runtime.registry import ModelCard, card_of, read_model, registry

RAW = bytes(range(256)) * 1200


def card(source: str = "http://127.0.0.1:9/nothing", raw: bytes = RAW) -> ModelCard:
    return ModelCard(
        "person_detector", "finder.onnx", len(raw), hashlib.sha256(raw).hexdigest(), "MIT", "rooms",
        source, "finds people", "finder",
    )  # fmt: skip


class Site:
    """A web server that has the file, knows ranges, and hangs up after `most` bytes of an answer."""

    def __init__(self) -> None:
        self.raw, self.most, self.ranges, self.knows_ranges = RAW, 1 << 30, list[str](), True
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range") or ""
                site.ranges.append(wanted)
                start = int(wanted[6:-1]) if wanted and site.knows_ranges else 0
                body = site.raw[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: site.most])

            def log_request(self, code: object = "-", size: object = "-") -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def quiet(done: int, total: int) -> None:
    assert done <= total


def test_a_model_comes_from_its_source_byte_for_byte(site: Site, tmp_path: Path) -> None:
    path = pull(card(f"{site.address}/x"), tmp_path / "models", None, quiet)
    assert path.read_bytes() == RAW
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["finder.onnx"]


def test_what_is_installed_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    for _ in range(2):
        pull(card(f"{site.address}/x"), tmp_path, None, quiet)
    assert len(site.ranges) == 1


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.most = 100_000
    with pytest.raises(UnavailableError, match="what has come is kept"):
        pull(card(f"{site.address}/x"), tmp_path, None, quiet)
    assert not (tmp_path / "finder.onnx").exists()
    site.most = 1 << 30
    assert pull(card(f"{site.address}/x"), tmp_path, None, quiet).read_bytes() == RAW
    assert site.ranges[0] == "" and site.ranges[-1].startswith("bytes=")
    assert int(site.ranges[-1][6:-1]) > 0


def test_a_server_without_ranges_sends_all_of_it_once_more(site: Site, tmp_path: Path) -> None:
    (tmp_path / "finder.onnx.part").write_bytes(RAW[:5000])
    site.knows_ranges = False
    assert pull(card(f"{site.address}/x"), tmp_path, None, quiet).read_bytes() == RAW


def test_another_file_is_refused_and_nothing_of_it_stays(site: Site, tmp_path: Path) -> None:
    site.raw = RAW[:-1] + b"!"
    with pytest.raises(ContentError, match="another file"):
        pull(card(f"{site.address}/x"), tmp_path, None, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_an_end_fills_no_disk(site: Site, tmp_path: Path) -> None:
    site.raw = RAW * 40
    with pytest.raises(ContentError, match="longer"):
        pull(card(f"{site.address}/x"), tmp_path, None, quiet)
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= len(RAW)
    site.raw = RAW
    assert pull(card(f"{site.address}/x"), tmp_path, None, quiet).read_bytes() == RAW


def test_no_network_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        pull(card(), tmp_path, None, quiet)
    assert "--from" in caught.value.next_step


def test_a_folder_is_a_mirror(tmp_path: Path) -> None:
    mirror = tmp_path / "stick"
    mirror.mkdir()
    (mirror / "finder.onnx").write_bytes(RAW)
    assert pull(card(), tmp_path / "models", str(mirror), quiet).read_bytes() == RAW
    with pytest.raises(UnavailableError, match="cannot read"):
        pull(card(), tmp_path / "other", str(tmp_path / "nowhere"), quiet)


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot write"):
        pull(card(), tmp_path / "models", str(tmp_path), quiet)


def test_a_damaged_model_is_never_loaded_and_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    mine = card(f"{site.address}/x")
    assert read_model(mine, tmp_path) is None
    (tmp_path / "finder.onnx").write_bytes(RAW[:-1] + b"?")
    with pytest.raises(EngineError, match="models pull finder"):
        read_model(mine, tmp_path)
    pull(mine, tmp_path, None, quiet)
    assert read_model(mine, tmp_path) == RAW


def test_every_card_names_a_licence_a_fixed_source_and_a_hash() -> None:
    for one in registry():
        assert len(one.sha256) == 64 and one.bytes > 0 and one.licence and one.trained_on
        assert one.source.startswith("https://") and re.search("/[0-9a-f]{40}/", one.source)
    with pytest.raises(UsageError, match="no model 'nothing'"):
        card_of("nothing")


def test_doctor_says_which_models_are_installed_and_which_are_damaged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = dataclasses.replace(card(), name="embedder", file="embedder.onnx")
    monkeypatch.setattr(checkup, "registry", lambda: (card(), other))
    home = Home(tmp_path)

    def says() -> tuple[str, str, bool]:
        check = checkup.check_models(home)
        return check.state, check.found, "models pull" in check.next_step

    assert says() == ("warn", "missing: finder, embedder", True)
    pull(card(), home.models, str(_folder(tmp_path / "stick")), quiet)
    assert says() == ("warn", "missing: embedder; installed: finder", True)
    (home.models / "embedder.onnx").write_bytes(b"short")
    assert says() == ("fail", "installed: finder; damaged: embedder", True)
    (home.models / "embedder.onnx").write_bytes(RAW)
    assert says() == ("ok", "installed: finder, embedder", False)


def _folder(place: Path) -> Path:
    place.mkdir()
    (place / "finder.onnx").write_bytes(RAW)
    return place


def test_the_verbs_list_pull_and_verify(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PVCHAT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(registry_module, "registry", lambda: (card(),))
    for verb in ("list", "pull", "verify"):
        monkeypatch.setattr(f"device.cli.models_{verb}.registry", lambda: (card(),))
    (tmp_path / "finder.onnx").write_bytes(RAW)

    def said(*words: str) -> dict[str, object]:
        assert main(["models", *words, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    assert said("list")["models"][0]["installed"] is False  # type: ignore[index]
    assert said("verify")["models"] == {"finder": "missing"}
    assert list(said("pull", "--from", str(tmp_path))["installed"]) == ["finder"]  # type: ignore[call-overload]
    assert said("verify")["models"] == {"finder": "sound"}
    (tmp_path / "home" / "models" / "finder.onnx").write_bytes(b"short")
    assert main(["models", "verify"]) == 4
