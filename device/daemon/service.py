"""The daemon: its parts put together, and its verbs. Knows no bytes, no verdict rules and no command line."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from device.config import load_config
from device.daemon.asking import Asker
from device.daemon.backoff import Backoff
from device.daemon.camera_state import Limits
from device.daemon.cameras import Cameras, Patience
from device.daemon.evidence import prune_evidence
from device.daemon.heartbeat import Rhythm
from device.daemon.presence import Presence
from device.daemon.remote import NetworkDoor
from device.daemon.runtime_child import RuntimeCommand, serve_command
from device.daemon.runtime_keeper import RuntimeKeeper
from device.paths import Home
from runtime.contract.bundle import Bundle
from runtime.contract.errors import BundleError, StoreError, WireError
from runtime.contract.serving import Deadline
from runtime.frames import RING_FPS
from runtime.keys import AllowList, ServerKeys, ensure_key
from runtime.router import Server
from runtime.wire import (
    AnswerReply,
    DaemonAsk,
    DaemonReload,
    DaemonStatus,
    DaemonStatusReply,
    DaemonStop,
    Done,
    Reply,
    Request,
)

_THREADS, _QUEUE = 4, 256
_GRACE_S = 0.5
_HOUSEKEEPING_S = 60.0
_STATM = Path("/proc/self/statm")
_log = logging.getLogger(__name__)


class Daemon:
    """Everything that runs for one home. `run` returns when it was stopped."""

    def __init__(
        self,
        home: Home,
        *,
        command: RuntimeCommand | None = None,
        patience: Patience | None = None,
        new_backoff: Callable[[], Backoff] | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Read the settings; nothing is started yet.

        Args:
            command: what serves a bundle (for tests); None: the real runtime.
            patience, new_backoff, rhythm: how fast what fails or hangs is started again; None: as a home
                needs it.

        Raises:
            ConfigError: the settings cannot be read, or the home's path is too long for a socket.
            StoreError: the home's folders cannot be made.
        """
        self._home = home.create()
        self._config = load_config(home.config_file)
        self._started_s = time.monotonic()
        self._keeper = RuntimeKeeper(
            home,
            start_timeout_ms=self._config.limits.runtime_start_timeout_ms,
            command=command or serve_command(home.models, home.engines, self._config.log),
            backoff=new_backoff() if new_backoff else None,
            rhythm=rhythm,
        )
        self._cameras = Cameras(home.logs, patience=patience, new_backoff=new_backoff or Backoff)
        self._asker = Asker(
            self._cameras,
            self._keeper,
            config=lambda: self._config,
            evidence=home.evidence,
        )
        self._presence = Presence(self._cameras, self._keeper, lambda: self._config.limits.watch_every_ms)
        self._server = Server(
            home.daemon_endpoint, self._handle, threads=_THREADS, queue_size=_QUEUE, grace_s=_GRACE_S
        )
        self._network = self._open_to(self._config.network.listen)
        self._stopped = threading.Event()

    def _open_to(self, endpoint: str) -> NetworkDoor | None:
        """The door for other machines; None: the settings want none."""
        if not endpoint:
            return None
        keys = ServerKeys(ensure_key(self._home.key_file), AllowList(self._home.allowed_keys))
        return NetworkDoor(endpoint, self._handle, keys)

    def run(self) -> None:
        """Serve until `stop`; then nothing that was started is left.

        Raises:
            UnavailableError: another daemon serves this home.
        """
        with self._server:
            try:
                self._keeper.start()
                self._configure_cameras()
                self._cameras.start()
                self._presence.start()
                threading.Thread(target=self._keep_house, name="pvchat-house", daemon=True).start()
                if self._network:
                    self._network.start()
                _log.info(
                    "watching %d cameras in %d rooms", len(self._config.cameras), len(self._config.rooms)
                )
                self._server.serve()
            finally:
                _log.info("stopping")
                self._stopped.set()
                if self._network:
                    self._network.close()
                self._presence.hurry()
                self._cameras.hurry()
                self._keeper.hurry()
                self._cameras.stop()
                self._keeper.stop()
                self._presence.stop()
        _log.info("stopped")

    def stop(self) -> None:
        """Ask `run` to return; from any thread and from a signal handler."""
        self._server.stop()

    def capture_pids(self) -> dict[str, int | None]:
        """Process of each camera; None: it is not running now."""
        return self._cameras.pids()

    def _handle(self, request: Request, deadline: Deadline) -> Reply:
        if isinstance(request, DaemonAsk):
            conversation = request.conversation or self._asker.conversations.new()
            answer = self._asker.ask(
                request.text, conversation, request.evidence_dir, deadline, request.earlier
            )
            return AnswerReply(answer=answer, conversation=conversation)
        if isinstance(request, DaemonStatus):
            return self._status()
        if isinstance(request, DaemonReload):
            self._config = load_config(self._home.config_file)
            try:
                self._keeper.reload(deadline())
            finally:
                self._configure_cameras()
            return Done()
        if isinstance(request, DaemonStop):
            threading.Timer(0.1, self._server.stop).start()  # after the reply has gone out
            return Done()
        raise WireError(f"{type(request).__name__} is no request for the daemon.", "Ask the runtime.")

    def _status(self) -> DaemonStatusReply:
        state, notes = self._keeper.state()
        installed = self._keeper.current()
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
        return DaemonStatusReply(
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._started_s,
            rss_mib=pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20),
            runtime=state,
            bundle_id=installed.ready.bundle_id if installed else "",
            base=installed.ready.base if installed else "",
            subjects=installed.releases if installed else {},
            cameras=self._cameras.reports(),
            looks=tuple(look for _, look in sorted(self._presence.latest().items())),
            last_seen=self._presence.last_seen(),
            now=time.time(),
            notes=(*notes, *self._cameras.problems(), *(self._network.problems() if self._network else ())),
        )

    def _configure_cameras(self) -> None:
        """Frames are taken at the bundle's rate; without a bundle, which the keeper reports, at 4 fps."""
        try:
            fps = Bundle.open(self._home.current_bundle()).manifest.pixels.window_fps
        except (BundleError, StoreError) as error:
            _log.debug("no bundle: %s", error)
            fps = RING_FPS
        self._cameras.configure(
            self._config.cameras,
            fps=fps,
            limits=Limits(max_frame_age_ms=self._config.limits.max_frame_age_ms),
        )

    def _keep_house(self) -> None:
        while not self._stopped.wait(_HOUSEKEEPING_S):
            limits = self._config.limits
            try:
                prune_evidence(
                    self._home.evidence, keep_s=limits.evidence_keep_s, max_files=limits.evidence_max_files
                )
            except OSError as error:
                _log.warning("evidence pictures cannot be deleted: %s", error.strerror)
