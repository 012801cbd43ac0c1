"""A home with the tiny bundle and two people, and the HTTP server in front of it, for tests."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from device.cli.serve_http import make_desk
from device.config import DeviceConfig, Limits
from device.household import Enrolment, add_person
from device.http_home import HttpHome
from device.paths import Home
from device.runtime_process import ensure_runtime, stop_runtime
from device.store.blobs import write_atomically
from device.store.records import Consent
from device.store.store import Store
from runtime.http.access import open_gate
from runtime.http.app import make_app
from runtime.http.serve import address_of, listen, make_server
from runtime.http.settings import HttpConfig
from tests.device.fake_runtime import short_home
from tests.fakes.tiny_bundle import ANN, BEN, Colour, frame, make_bundle, write_clip

LIMITS = Limits(ask_timeout_ms=15_000, runtime_start_timeout_ms=60_000)


@contextmanager
def tiny_home() -> Iterator[Home]:
    """Ann and Ben are enrolled; clips lie in `clips`; the runtime ends with the home."""
    with short_home() as home:
        folder = home.root / "clips"
        folder.mkdir()
        made = make_bundle(home.bundles / "new")
        made.root.rename(home.bundles / made.bundle_id)
        write_atomically(home.bundles / "current", made.bundle_id)
        try:
            with Store.open(home) as store, ensure_runtime(home, [], LIMITS) as runtime:
                for name, colour in (("Ann", ANN), ("Ben", BEN)):
                    clip = clip_of(folder / f"{name}.mkv", {9: colour}, {12: colour})
                    consent = Consent(name, 0.0, "to be recognised", None)
                    wanted = Enrolment(name, (), (clip,), None, consent, made.manifest.base)
                    add_person(store, wanted, lambda request: runtime.enrol(request, 60_000))
            yield home
        finally:
            stop_runtime(home)


def clip_of(path: Path, *shown: dict[int, Colour]) -> Path:
    """Two seconds of each arrangement."""
    return write_clip(path, [frame(cells) for cells in shown for _ in range(8)])


def data_url(picture: NDArray[np.uint8], kind: str = "png") -> str:
    """A picture (RGB) as a chat sends it."""
    done, raw = cv2.imencode(f".{kind}", picture[:, :, ::-1])
    assert done
    return f"data:image/{kind};base64,{base64.b64encode(raw.tobytes()).decode()}"


def chat(text: str, *urls: str, **more: Any) -> dict[str, Any]:
    """A request as OpenAI's clients send it."""
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": text}, *parts] if parts else text
    return {"model": "pvchat-edge", "messages": [{"role": "user", "content": content}], **more}


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    until_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


@contextmanager
def served(home: Home, config: HttpConfig | None = None, **headers: str) -> Iterator[httpx.Client]:
    """A client of a server in this process, on a free port."""
    http = config or HttpConfig(clip_folders=(str(home.root / "clips"),))
    settings = DeviceConfig(limits=LIMITS, http=replace(http, port=0))
    with listen(settings.http) as socket:
        desk = make_desk(home, HttpHome(home, LIMITS), settings)
        server = make_server(make_app(desk, open_gate(settings.http)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            until(lambda: server.started)
            with httpx.Client(
                base_url=address_of(socket), timeout=30, trust_env=False, headers=headers
            ) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(20)
            desk.close()
