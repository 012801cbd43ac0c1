"""What the shipped packages never do: unpickle, evaluate, hand words to a shell, print where nobody asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.project_files import SHIPPED, parse, python_files, relative

BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pkg_resources"}
BANNED_NAMES = {"eval", "exec", "__import__", "breakpoint"}
BANNED_CALLS = {
    "yaml.load", "yaml.unsafe_load", "torch.load", "torch.save", "os.system", "os.popen", "tempfile.mktemp",
}  # fmt: skip
BANNED_METHODS = {"recv_pyobj", "send_pyobj"}
MAY_PRINT = ("device/cli/", "__main__.py")


def offences(tree: ast.Module, *, may_print: bool) -> Iterator[str]:
    """What a file does that none may, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            yield from (f"{node.lineno}: import {name}" for name in sorted(names & BANNED_MODULES))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in BANNED_MODULES:
            yield f"{node.lineno}: from {node.module} import"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{node.lineno}: bare except"
        elif isinstance(node, ast.Call):
            yield from (f"{node.lineno}: {what}" for what in call_offences(node, may_print=may_print))


def call_offences(call: ast.Call, *, may_print: bool) -> Iterator[str]:
    """What is wrong with one call."""
    name = ast.unparse(call.func)
    if name in BANNED_NAMES or name in BANNED_CALLS or name.split(".")[-1] in BANNED_METHODS:
        yield f"{name}()"
    if name == "print" and not may_print:
        yield "print()"
    for keyword in call.keywords:
        harmless = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg in ("allow_pickle", "shell", "trust_remote_code") and not harmless:
            yield f"{keyword.arg}="


@pytest.mark.parametrize("package", SHIPPED)
def test_a_shipped_package_does_nothing_that_is_banned(package: str) -> None:
    files = python_files(package)
    assert files
    found = [
        f"{relative(path)}:{offence}"
        for path in files
        for offence in offences(parse(path), may_print=any(where in relative(path) for where in MAY_PRINT))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import os, marshal",
        "from shelve import open",
        "import joblib.externals",
        "eval('1')",
        "yaml.load(text)",
        "torch.load(path)",
        "socket.recv_pyobj()",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=wanted)",
        "subprocess.run(words, shell=True)",
        "print('x')",
        "try:\n    f()\nexcept:\n    pass",
    ],
)
def test_each_ban_would_be_noticed(code: str) -> None:
    assert list(offences(ast.parse(code), may_print=False))


@pytest.mark.parametrize(
    "code", ["model.eval()", "np.load(path, allow_pickle=False)", "import json", "out.print('x')"]
)
def test_what_only_looks_alike_is_allowed(code: str) -> None:
    assert not list(offences(ast.parse(code), may_print=False))
