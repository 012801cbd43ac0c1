"""A bundle behind `python -m runtime pipe`: what is scored is what ships. Knows no clips and no truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from runtime.contract.errors import EngineError, all_errors

_END_S = 20.0


class Box:
    """A runtime of one's own; close it, or use it in a with statement."""

    def __init__(self, bundle: Path, log: Path, *, threads: int = 1, models: Path | None = None) -> None:
        """Start it; what it says goes to the file `log`; `models`: folder of models of others."""
        self._log = log
        others = [] if models is None else ["--models", str(models.absolute())]
        with log.open("wb") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "runtime", "pipe", "--bundle", str(bundle.absolute()),
                 "--threads", str(threads), *others],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )  # fmt: skip

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request as docs/wire.schema.json has it, to its reply.

        Raises:
            PvchatError: what the runtime raised. EngineError: it ended.
        """
        source, sink = self._child.stdout, self._child.stdin
        line = b""
        if source is not None and sink is not None:
            try:
                sink.write(json.dumps(request).encode() + b"\n")
                sink.flush()
                line = source.readline()
            except BrokenPipeError:
                line = b""
        if not line:
            raise EngineError("the runtime ended.", f"See {self._log}.")
        reply: dict[str, Any] = json.loads(line)
        if reply["type"] == "error":
            kind = all_errors().get(str(reply["code"]), EngineError)
            raise kind(str(reply["message"]), str(reply.get("next_step", "")))
        return reply

    def close(self) -> None:
        """End it; twice is fine."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
