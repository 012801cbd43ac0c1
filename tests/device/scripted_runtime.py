"""A runtime process without a model: real socket, real rings; `script.json` by the bundle has the answers.

`{"cameras": {NAME: {"verdict": …, "confidence": …, "unknown": …, "error": …, "refuse": …}}, "sleep_s": …,
"die": PATH, "hang": PATH, "bad": [SUBJECT_ID]}`; `die`, `hang`: end, or never answer, at the first question
while that file exists (it is deleted).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from runtime.contract.bundle import Bundle  # noqa: E402 - the checkout is put on the path first
from runtime.contract.dialogue import Answer, Evidence, SubjectVerdict  # noqa: E402
from runtime.contract.errors import AdapterError, EngineError, RefusedError, UsageError  # noqa: E402
from runtime.contract.serving import Deadline  # noqa: E402
from runtime.frames import read_window  # noqa: E402
from runtime.router import Server  # noqa: E402
from runtime.stats import ServerStats  # noqa: E402
from runtime.wire import (  # noqa: E402
    AnswerReply,
    Ask,
    Done,
    Health,
    HealthReply,
    Hello,
    Ready,
    Reply,
    Request,
    SetSubjects,
)


class Scripted:
    """Answers from the script."""

    def __init__(self, bundle: Bundle, stats: ServerStats) -> None:
        self._bundle = bundle
        self._stats = stats
        self._subjects: dict[str, int] = {}

    def __call__(self, request: Request, deadline: Deadline) -> Reply:
        """Answer one request."""
        script = json.loads((self._bundle.root.parent / "script.json").read_text(encoding="utf-8"))
        if isinstance(request, Hello):
            return Ready(
                bundle_id=self._bundle.bundle_id,
                base=self._bundle.manifest.base,
                pid=os.getpid(),
                shapes={},
                window_frames=8,
                window_fps=4.0,
                accept=self._bundle.manifest.calibration.accept,
                subjects=dict(self._subjects),
            )
        if isinstance(request, SetSubjects):
            bad = [one.subject_id for one in request.adapters if one.subject_id in script.get("bad", [])]
            if bad:
                raise AdapterError(f"adapter of {bad[0][:9]} was made for another base.", "Enrol again.")
            if not request.only_check:
                self._subjects = {one.subject_id: one.release for one in request.adapters}
            return Done()
        if isinstance(request, Health):
            return HealthReply(
                bundle_id=self._bundle.bundle_id, uptime_s=self._stats.uptime_s, queue=0, rss_mib=0.0,
                overdue_s=self._stats.overdue_s(), **self._stats.counts(),
            )  # fmt: skip
        if isinstance(request, Ask):
            return AnswerReply(answer=self._answer(request, script))
        raise UsageError(f"the script does not know {type(request).__name__}.")

    def _answer(self, request: Ask, script: dict[str, Any]) -> Answer:
        if "die" in script and Path(script["die"]).exists():
            Path(script["die"]).unlink()
            os._exit(9)
        if "hang" in script and Path(script["hang"]).exists():
            Path(script["hang"]).unlink()
            threading.Event().wait()
        if request.window is None:
            raise UsageError("the script knows cameras only.")
        said = script.get("cameras", {}).get(request.window.camera, {})
        if "error" in said:
            raise EngineError(said["error"])
        if "refuse" in said:
            raise RefusedError(said["refuse"], "Ask something else.")
        window = read_window(request.window.ring, 8, 4.0)
        time.sleep(script.get("sleep_s", 0.0))
        confidence = said.get("confidence", 0.5)
        evidence = Evidence(request.window.camera, window.newest_at, (1, 2, 3, 4), "0" * 64, None)
        return Answer(
            "verdict",
            f"seen by {request.window.camera}",
            said.get("verdict", "unsure"),
            confidence,
            0.9,
            as_of=window.newest_at,
            frame_age_ms=(time.time() - window.newest_at) * 1000,
            subjects=tuple(
                SubjectVerdict(one, said.get("verdict", "unsure"), confidence)
                for one in request.intent.subject_ids
            )
            or tuple(SubjectVerdict(one, verdict, 0.5) for one, verdict in said.get("there", {}).items()),
            unknown_people=said.get("unknown", 0),
            evidence=(evidence,),
            reason=said.get("reason", ""),
            base=self._bundle.manifest.base,
            adapters=dict(self._subjects),
            timings_ms={"model": 1.0},
        )


def _stop_at_end_of_stdin(server: Server) -> None:
    while os.read(0, 4096):
        pass
    server.stop()


def main(bundle: str, endpoint: str) -> None:
    """Serve until SIGTERM or the end of standard input."""
    stats = ServerStats()
    with Server(endpoint, Scripted(Bundle.open(Path(bundle)), stats), stats=stats, grace_s=0.5) as server:
        signal.signal(signal.SIGTERM, lambda *_: server.stop())
        threading.Thread(target=_stop_at_end_of_stdin, args=(server,), daemon=True).start()
        server.serve()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
