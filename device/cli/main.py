"""The table of verbs. Knows what each is called and where its code lies; imports that code when it is chosen.

A verb's module has `arguments(parser)` and `run(args, out) -> exit code`.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from device.cli.output import PROGRAM, Output
from runtime.contract.errors import PvchatError, UsageError

VERBS: dict[str, tuple[str, str]] = {
    "init": ("init", "make the home folder and its settings file"),
    "doctor": ("doctor", "check that everything is in place"),
    "person add": ("person_add", "learn a person from one clip"),
    "person list": ("person_list", "who is enrolled"),
    "person show": ("person_show", "everything stored about one person"),
    "person test": ("person_test", "ask whether one person is in a clip"),
    "person rename": ("person_rename", "another name or other aliases for a person"),
    "person pause": ("person_pause", "look for a person no longer, without deleting anything"),
    "person resume": ("person_resume", "look for a person again"),
    "person deny": ("person_deny", "say that a piece of evidence shows somebody else"),
    "person export": ("person_export", "everything stored about one person, in one file"),
    "person forget": ("person_forget", "delete a person, adapters and evidence"),
    "ask": ("ask", "ask a question about the home, or about a clip"),
    "daemon": ("daemon", "watch the cameras and answer (runs until stopped)"),
    "serve-http": ("serve_http", "answer over HTTP: OpenAI's chat, REST, metrics (runs until stopped)"),
    "status": ("status", "daemon, cameras, bundle and people at a glance"),
    "keys show": ("keys_show", "this machine's public key"),
    "keys allow": ("keys_allow", "let another machine ask this box over the network"),
    "keys list": ("keys_list", "the machines that may ask"),
    "keys revoke": ("keys_revoke", "let a machine ask no longer"),
    "bundle verify": ("bundle_verify", "check every byte of a bundle"),
    "bundle show": ("bundle_show", "what is in a bundle, how good it is, and what made it"),
    "bundle diff": ("bundle_diff", "what differs between two bundles"),
    "bundle build-engines": ("bundle_build_engines", "build a bundle's TensorRT engines on this box"),
    "bundle install": ("bundle_install", "verify, self-test and activate a bundle"),
    "bundle rollback": ("bundle_rollback", "go back to the bundle before"),
    "models list": ("models_list", "models of others that the box can use"),
    "models pull": ("models_pull", "fetch and check a model of others"),
    "models verify": ("models_verify", "check every byte of the fetched models"),
    "ota init-repo": ("ota_init_repo", "make a signed update repository (workshop)"),
    "ota add-adapter": ("ota_add_adapter", "publish an adapter as an update (workshop)"),
    "ota add-household": ("ota_add_household", "let a repository serve one more household (workshop)"),
    "ota refresh-repo": ("ota_refresh_repo", "sign what is about to expire (workshop)"),
    "ota trust": ("ota_trust", "take updates from a repository from now on"),
    "ota check": ("ota_check", "what updates are there"),
    "ota apply": ("ota_apply", "fetch, verify, self-test and activate updates"),
    "ota rollback": ("ota_rollback", "go back to a person's adapter before"),
    "ota status": ("ota_status", "installed releases and the update channel"),
    "dataset show": ("dataset_show", "a person's dataset as one picture (workshop)"),
    "export": ("export", "make a bundle from a checkpoint (workshop)"),
    "demo": ("demo", "the whole product on a rendered household (needs the workshop's packages)"),
}
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141


class Parser(argparse.ArgumentParser):
    """argparse whose errors are ours: one line, and the next step."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        raise UsageError(f"{message}.", f"See `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    out = Output("--json" in words)
    try:
        return _run(words, out)
    except KeyboardInterrupt:
        print(f"{PROGRAM}: stopped.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at exit
        return EXIT_PIPE
    except PvchatError as error:
        if debug:
            traceback.print_exc()
        out.error(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a bug is reported in one line too
        if debug:
            traceback.print_exc()
        bug = PvchatError(
            f"unexpected {type(error).__name__}: {error}.", "This is a bug; --debug shows where it happened."
        )
        out.error(bug)
        return bug.exit_code


def _run(words: list[str], out: Output) -> int:
    verb, rest = _split(words)
    if verb not in VERBS:
        return _overview(verb, rest, out)
    module_name, summary = VERBS[verb]
    module = importlib.import_module(f"device.cli.{module_name}")
    parser = Parser(
        prog=f"{PROGRAM} {verb}", description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )
    module.arguments(parser)
    common_arguments(parser)
    return int(module.run(parser.parse_args(rest), out))


def common_arguments(parser: argparse.ArgumentParser) -> None:
    """What every verb takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")


def _split(words: list[str]) -> tuple[str, list[str]]:
    """The verb (one or two words) and everything else, in order."""
    places = [index for index, word in enumerate(words) if not word.startswith("-")][:2]
    if len(places) == 2 and (both := " ".join(words[place] for place in places)) in VERBS:
        return both, [word for index, word in enumerate(words) if index not in places]
    if places:
        return words[places[0]], [word for index, word in enumerate(words) if index != places[0]]
    return "", words


def _overview(verb: str, rest: list[str], out: Output) -> int:
    """Help for everything or for one group of verbs; an unknown verb is an error."""
    group = {name: where for name, where in VERBS.items() if not verb or name.split()[0] == verb}
    plain = [word for word in rest if not word.startswith("-")]
    if not group or plain:
        both = " ".join([verb, *plain[:1]])
        near = _nearest(both) or _nearest(verb)
        wrong = both if group else verb
        hint = f"Did you mean `{PROGRAM} {near}`?" if near else f"See `{PROGRAM} --help`."
        raise UsageError(f"there is no command {wrong!r}.", hint)
    unknown = [word for word in rest if word not in ("-h", "--help", "--json", "--debug", "--version")]
    if unknown:
        raise UsageError(f"{unknown[0]!r} needs a command before it.", f"See `{PROGRAM} --help`.")
    if "--version" in rest:
        return _version(out)
    out.result({"commands": {name: summary for name, (_, summary) in group.items()}}, _help(verb, group))
    asked = "-h" in rest or "--help" in rest
    return 0 if asked else UsageError.exit_code


def _nearest(words: str) -> str:
    return next(iter(difflib.get_close_matches(words, VERBS, n=1, cutoff=0.6)), "")


def _version(out: Output) -> int:
    from importlib import metadata

    try:
        version = metadata.version(PROGRAM)
    except metadata.PackageNotFoundError as error:
        raise PvchatError(
            f"{PROGRAM} runs from a folder and has no version.", "Install it with pip."
        ) from error
    out.result({"version": version}, version)
    return 0


def _help(verb: str, group: dict[str, tuple[str, str]]) -> str:
    width = max(len(name) for name in group)
    lines = [f"  {name.ljust(width)}  {summary}" for name, (_, summary) in group.items()]
    start = f"usage: {PROGRAM} {f'{verb} ' if verb else ''}COMMAND [options]"
    end = [
        "Every command takes --help, --json (one JSON object on stdout) and --debug (the trace of an error).",
        "State lies in $PVCHAT_HOME (default: ~/.local/state/pvchat-edge).",
    ]
    return "\n".join([start, "", *lines, "", *end])


if __name__ == "__main__":
    sys.exit(main())
