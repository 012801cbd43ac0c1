"""`ask QUESTION`: about the home (through the daemon), or about one clip (through the runtime alone)."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.cli.output import Output
from device.config import DeviceConfig, load_config
from device.daemon_client import ask_daemon
from device.paths import Home
from runtime.contract.dialogue import Answer, Intent, exit_code
from runtime.contract.errors import UsageError
from runtime.contract.household import Household
from runtime.wire import MAX_CONVERSATION_CHARS, MAX_DEADLINE_MS, MAX_QUESTION_CHARS, DaemonAsk

if TYPE_CHECKING:  # the daemon is asked without the vault; a shell waits for every import
    from device.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """The question, and where to look."""
    parser.add_argument("question", metavar="QUESTION", help='such as "Is Grandma in the kitchen?"')
    parser.add_argument(
        "--clip", type=Path, metavar="FILE", help="ask about this video instead of the cameras"
    )
    parser.add_argument(
        "--conversation", metavar="ID", default="", help='what "she" refers to (default: this terminal\'s)'
    )
    parser.add_argument("--exit-code", action="store_true", help="exit 0 for yes, 1 for no")
    answer_arguments(parser)


def answer_arguments(parser: argparse.ArgumentParser) -> None:
    """What everything that answers takes."""
    parser.add_argument(
        "--timeout-ms", type=int, metavar="MS", help="time for the answer (default: settings)"
    )
    parser.add_argument("--evidence-dir", type=Path, metavar="DIR", help="where evidence pictures go")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code: 0 answered, 3 unsure, 4 unavailable, 6 refused."""
    if not 0 < len(args.question.strip()) <= MAX_QUESTION_CHARS:
        raise UsageError(f"a question has 1 to {MAX_QUESTION_CHARS} characters, got {len(args.question)}.")
    if len(args.conversation) > MAX_CONVERSATION_CHARS:
        raise UsageError(f"--conversation has at most {MAX_CONVERSATION_CHARS} characters.")
    home = Home.from_environment()
    config = load_config(home.config_file)
    if args.clip is None:
        timeout_ms = timeout_of(args, config)
        question = DaemonAsk(
            text=args.question,
            conversation=args.conversation or this_terminal(home),
            evidence_dir=evidence_dir(args, home),
        )
        reply = ask_daemon(home, config.network, question, timeout_ms)
        answer, conversation = reply.answer, reply.conversation
    else:
        from device.household import clip_file
        from device.store.store import Store

        clip = clip_file(args.clip)
        with Store.open(home) as store:
            intent = understand(args.question, store.household())
            answer, conversation = ask_clip(store, config, intent, clip, args), ""
    code = exit_code(answer, strict=args.exit_code)
    out.result(
        {"question": args.question, **answer_json(answer), "conversation": conversation, "exit_code": code},
        render(answer),
    )
    return code


def this_terminal(home: Home) -> str:
    """The conversation of this terminal: one for each machine, home and login session."""
    return hashlib.sha256(f"{platform.node()}\0{home.root}\0{os.getsid(0)}".encode()).hexdigest()[:16]


def understand(question: str, household: Household) -> Intent:
    """What is asked about a clip; raises `RefusedError` or `UsageError` with the nearest name.

    Nobody knows which room a clip shows, so a question that names one is no question about a clip.
    """
    from runtime.questions import parse

    return parse(question, household, ())


def ask_clip(
    store: Store, config: DeviceConfig, intent: Intent, clip: Path, args: argparse.Namespace
) -> Answer:
    """The runtime's answer about one clip; the runtime is started when it is not running."""
    from device.daemon.evidence import prune_evidence
    from device.runtime_process import ensure_runtime

    timeout_ms = timeout_of(args, config)
    folder = evidence_dir(args, store.home)
    names = {one.subject_id: one.name for one in store.household().subjects}
    with ensure_runtime(store.home, store.active_adapters(), config.limits) as runtime:
        answer = runtime.ask_clip(clip, intent, names, folder or store.home.evidence, timeout_ms)
    limits = config.limits
    prune_evidence(store.home.evidence, keep_s=limits.evidence_keep_s, max_files=limits.evidence_max_files)
    return answer


def timeout_of(args: argparse.Namespace, config: DeviceConfig) -> int:
    """Milliseconds for the answer.

    Raises:
        UsageError: out of range.
    """
    timeout_ms = config.limits.ask_timeout_ms if args.timeout_ms is None else int(args.timeout_ms)
    if not 1 <= timeout_ms <= MAX_DEADLINE_MS:
        raise UsageError(f"--timeout-ms is 1 to {MAX_DEADLINE_MS}, got {timeout_ms}.")
    return timeout_ms


def evidence_dir(args: argparse.Namespace, home: Home) -> Path | None:
    """The folder that was asked for, made if it is missing; None: the home's own."""
    if args.evidence_dir is None:
        return None
    folder = Path(args.evidence_dir).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make {folder}: {error.strerror}.", "Choose another --evidence-dir."
        ) from error
    return folder


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer with all its fields, ready for JSON."""
    return dataclasses.asdict(answer)


def render(answer: Answer) -> str:
    """The sentence, then what it rests on, a line each."""
    lines = [answer.text]
    if answer.reason and answer.reason not in answer.text:
        lines.append(answer.reason)
    facts = []
    if answer.verdict in ("yes", "no", "unsure") and answer.confidence is not None:
        facts.append(f"probability of presence {answer.confidence:.2f} (yes from {answer.threshold:.2f})")
    if answer.frame_age_ms is not None:
        facts.append(f"newest frame {answer.frame_age_ms / 1000:.1f} s old")
    if facts:
        lines.append("  " + " · ".join(facts))
    if answer.cameras:
        lines.append("  cameras: " + ", ".join(f"{one.camera} {one.state}" for one in answer.cameras))
    lines += [
        f"  evidence: {image}" for image in dict.fromkeys(one.image for one in answer.evidence if one.image)
    ]
    events = list(dict.fromkeys(one.event for one in answer.evidence if one.event))
    if events:
        lines.append(f"  not so? pvchat-edge person deny {events[0]}")
    return "\n".join(lines)
