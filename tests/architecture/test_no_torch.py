"""The box never loads the training stack: `runtime` and `device` are imported whole in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = ("torch", "transformers", "peft", "onnx", "onnxscript", "train", "export")

# Engines and HTTP are optional extras: a module may fail to import for want of one; all else is a failure.
_IMPORT_ALL = """
import importlib, json, pkgutil, sys
OPTIONAL = {"onnxruntime", "onnxruntime_genai", "tensorrt", "starlette", "uvicorn"}
package = importlib.import_module(sys.argv[1])
names, absent = [package.__name__], []
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        absent.append(module.name)
    names.append(module.name)
loaded = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"imported": names, "absent": absent, "loaded": loaded}))
"""


@pytest.mark.parametrize("package", ["runtime", "device"])
def test_importing_every_module_loads_no_training_stack(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, package], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    files = {
        path for path in (ROOT / package).rglob("*.py") if path.name not in ("__init__.py", "__main__.py")
    }
    assert len(report["imported"]) >= len(files)
    assert not set(FORBIDDEN) & set(report["loaded"])


def test_a_wanted_module_of_the_training_stack_would_be_seen() -> None:
    code = "import sys, types; sys.modules['torch'] = types.ModuleType('torch')\n" + _IMPORT_ALL
    done = subprocess.run(
        [sys.executable, "-c", code, "runtime.contract"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "torch" in json.loads(done.stdout)["loaded"]


def test_runtime_entry_point_tells_usage_without_any_engine() -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "import runtime.__main__\n"
        "assert 'runtime.session' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
