"""`export PROFILE`: starts the workshop's exporter as a child process. Knows nothing of what it does."""

from __future__ import annotations

import argparse
from pathlib import Path

import configs
from device.cli.output import Output
from device.workshop import run_workshop
from runtime.contract.errors import UsageError

PROFILES = Path(configs.__file__).parent / "export"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The profile, and the exporter's own options that matter outside the workshop's scripts."""
    parser.add_argument("profile", metavar="PROFILE", help=f"{', '.join(profiles())}, or a .toml file")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="DIR", help="default: the one of the package's base"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: out/export/PROFILE")
    parser.add_argument(
        "--adapters", type=Path, nargs="+", metavar="FILE", help="members of a household bundle"
    )
    parser.add_argument("--prune-heads", choices=("proven", "measured"), help="cut heads that are never open")
    parser.add_argument("--windows", type=Path, metavar="FILE", help="a household's, to measure heads on")
    parser.add_argument("--quick", action="store_true", help="do not export and compare perturbed weights")


def run(args: argparse.Namespace, out: Output) -> int:
    """The exporter's own exit code; its last line is one JSON object either way."""
    words = [str(profile_file(args.profile)), *(["--quick"] if args.quick else [])]
    for name in ("checkpoint", "out", "adapters", "prune_heads", "windows"):
        value = getattr(args, name)
        if value is not None:
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return run_workshop("export", "export", words, ("torch", "onnxscript"))


def profiles() -> list[str]:
    """Names of the profiles that come with the package."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def profile_file(name: str) -> Path:
    """The file of a profile, by its name or its path.

    Raises:
        UsageError: there is none.
    """
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    if name in profiles():
        return PROFILES / f"{name}.toml"
    raise UsageError(f"there is no export profile {name!r}.", f"Choose one of {', '.join(profiles())}.")
