"""A runtime without a model, behind the real socket server: what it says is set by the test."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from device.paths import Home
from device.store.blobs import write_atomically
from runtime.contract.bundle import Manifest, manifest_to_json
from runtime.contract.calibration import Calibration
from runtime.contract.dialogue import Answer
from runtime.contract.errors import ContentError, UsageError
from runtime.contract.pixels import PixelSpec
from runtime.contract.serving import Deadline, EnrolReport, EnrolRequest, PeopleNearest
from runtime.router import Server
from runtime.wire import (
    AnswerReply,
    Ask,
    Done,
    Enrol,
    EnrolReply,
    Health,
    HealthReply,
    Hello,
    Ready,
    Reply,
    Request,
    SetSubjects,
)

BASE = "b" * 64
YES = Answer("verdict", "Yes, it is.", "yes", 0.97, 0.9)


@contextmanager
def short_home() -> Iterator[Home]:
    """A home with a path short enough for sockets."""
    root = Path(tempfile.mkdtemp(prefix="pvc", dir="/tmp"))
    try:
        yield Home(root / "h").create()
    finally:
        shutil.rmtree(root)


def put_bundle(home: Home) -> str:
    """Make a bundle without files the current one; returns its id."""
    import hashlib

    raw = manifest_to_json(Manifest("base", BASE, (), {}, {}, PixelSpec(), Calibration()))
    bundle_id = hashlib.sha256(raw).hexdigest()[:16]
    folder = home.bundles / bundle_id
    folder.mkdir()
    (folder / "manifest.json").write_bytes(raw)
    write_atomically(home.bundles / "current", bundle_id)
    return bundle_id


@dataclass
class FakeRuntime:
    """What it was told and what it is to say."""

    bundle_id: str
    answer: Answer = YES
    refusal: str = ""
    served: int = 0
    subjects: dict[str, int] = field(default_factory=dict)
    denied: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    asked: list[Ask] = field(default_factory=list)
    enrolled: list[EnrolRequest] = field(default_factory=list)
    enrolling: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request, deadline: Deadline) -> Reply:
        """Answer one request."""
        if isinstance(request, Hello):
            self.served += 1
            return Ready(
                bundle_id=self.bundle_id, base=BASE, pid=os.getpid(), shapes={}, window_frames=8,
                window_fps=4.0, accept=0.9, subjects=dict(self.subjects), denied=dict(self.marks),
            )  # fmt: skip
        if isinstance(request, SetSubjects) and request.only_check:
            return Done()
        if isinstance(request, SetSubjects):
            self.subjects = {one.subject_id: one.release for one in request.adapters}
            self.denied = {one.subject_id: one.denied for one in request.adapters if one.denied}
            self.marks = {one.subject_id: one.denied_mark for one in request.adapters if one.denied}
            return Done()
        if isinstance(request, Enrol):
            return EnrolReply(report=self._enrol(request.request, deadline))
        if isinstance(request, Ask):
            self.asked.append(request)
            return AnswerReply(answer=self.answer)
        if isinstance(request, Health):
            self.served += 1
            return HealthReply(
                bundle_id=self.bundle_id, uptime_s=1.0, served=self.served, failed=0, expired=0, refused=0,
                queue=0, rss_mib=1.0,
            )  # fmt: skip
        raise UsageError(f"the fake does not know {type(request).__name__}.")

    def _enrol(self, request: EnrolRequest, deadline: Deadline) -> EnrolReport:
        self.enrolled.append(request)
        if request.sheet_path is not None:
            request.sheet_path.write_bytes(b"a contact sheet of " + request.subject_id.encode())
        self.enrolling.set()
        self.go_on.wait(deadline())
        if self.refusal:
            raise ContentError(self.refusal, "Choose one with --which.")
        request.adapter_path.write_bytes(b"adapter of " + request.subject_id.encode())
        nearest = next((PeopleNearest(one, 0.4) for one in self.subjects if one != request.subject_id), None)
        return EnrolReport(
            request.subject_id, request.release, "head", 40, 38, 0, 12, 1, 0.8, request.adapter_path,
            request.sheet_path, ("no view from the left",), nearest,
        )  # fmt: skip


@contextmanager
def serving(home: Home) -> Iterator[FakeRuntime]:
    """A fake runtime that listens where this home's runtime listens."""
    fake = FakeRuntime(put_bundle(home))
    fake.go_on.set()
    with Server(home.runtime_endpoint, fake, grace_s=1.0) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield fake
        finally:
            fake.go_on.set()
            server.stop()
            thread.join()
