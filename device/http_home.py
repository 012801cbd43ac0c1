"""This home as the HTTP server sees it: its people, and its runtime, started when needed. Knows no HTTP."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from device.config import Limits
from device.daemon.evidence import prune_evidence
from device.household import scratch
from device.paths import Home
from device.runtime_process import ensure_runtime
from device.store.store import Store
from runtime.contract.household import Household
from runtime.http.house import Listed
from runtime.wire import Ready


class HttpHome:
    """Implements `runtime.http.house.House` with the store and the runtime that commands use."""

    def __init__(self, home: Home, limits: Limits) -> None:
        self._home = home.create()
        self._limits = limits

    @property
    def evidence(self) -> Path:
        """The home's own folder."""
        return self._home.evidence

    def household(self) -> Household:
        """Who can be asked about now."""
        with Store.open(self._home) as store:
            return store.household()

    def people(self) -> tuple[Listed, ...]:
        """Everybody enrolled, in order of enrolment."""
        with Store.open(self._home) as store:
            active = {one.subject_id for one in store.household().subjects}
            return tuple(
                Listed(
                    one.subject.subject_id,
                    one.subject.name,
                    one.subject.aliases,
                    None if (adapter := one.adapter()) is None else adapter.release,
                    one.subject.subject_id in active,
                )
                for one in store.people()
            )

    def prepare(self) -> Ready:
        """As `ask --clip` does; raises what `ensure_runtime` raises."""
        with Store.open(self._home) as store:
            adapters = store.active_adapters()
        with ensure_runtime(self._home, adapters, self._limits) as runtime:
            return runtime.ready

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder in the vault; what a killed process left there goes with the next one."""
        return scratch(self._home)

    def tidy(self) -> None:
        """As after every `ask --clip`."""
        limits = self._limits
        prune_evidence(
            self._home.evidence, keep_s=limits.evidence_keep_s, max_files=limits.evidence_max_files
        )
