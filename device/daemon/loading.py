"""Loads people into a runtime, all but the adapters that it refuses. Knows no store and no restarts."""

from __future__ import annotations

from collections.abc import Sequence

from device.daemon.people import People
from device.daemon.runtime_child import RuntimeChild, RuntimeGoneError
from runtime.contract.errors import BundleError, UnavailableError
from runtime.contract.serving import AdapterRef
from runtime.wire import SetSubjects

_SET_SUBJECTS_MS = 20_000


def load_people(child: RuntimeChild, people: People) -> tuple[dict[str, int], list[BundleError]]:
    """Replace what is loaded; one adapter that is refused does not keep the others out.

    What was loaded before answers until the new set is complete: each adapter is only looked at, never
    loaded alone.

    Returns:
        Releases of what is loaded, by subject id, and why others are not.

    Raises:
        UnavailableError: the runtime ended, or cannot say.
    """
    problem = _set_subjects(child, people.refs)
    if problem is None:
        return people.releases, []
    problems = {ref.subject_id: _set_subjects(child, (ref,), only_check=True) for ref in people.refs}
    good = tuple(ref for ref in people.refs if problems[ref.subject_id] is None)
    if (still := _set_subjects(child, good)) is not None:
        raise UnavailableError(still.message, still.next_step)
    found = [one for one in problems.values() if one is not None]
    return {ref.subject_id: ref.release for ref in good}, found or [problem]


def _set_subjects(
    child: RuntimeChild, refs: Sequence[AdapterRef], *, only_check: bool = False
) -> BundleError | None:
    """None when they are loaded, or could be; else why they are refused."""
    try:
        child.call(SetSubjects(adapters=tuple(refs), only_check=only_check), _SET_SUBJECTS_MS)
    except BundleError as error:
        return error
    except RuntimeGoneError as error:
        raise UnavailableError("the runtime ended while it loaded people.", "See its log.") from error
    return None
