"""A question from the shell loads little: every library it does not need would be waited for each time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "cv2",
    "av",
    "dlib",
    "onnxruntime",
    "tokenizers",
    "safetensors",
    "tuf",
    "asyncio",
    "sqlite3",
)
PROGRAM = f"""
import sys
from device.cli.main import main
code = main(["ask", "Is Grandma in the kitchen?"])
print(code, *[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_asking_the_daemon_loads_no_array_no_picture_no_vault_and_no_event_loop() -> None:
    with tempfile.TemporaryDirectory(prefix="pvc-", dir="/tmp") as home:
        environment = {**os.environ, "PVCHAT_HOME": home, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
    assert "nobody listens" in done.stderr, "it came as far as the socket"
    assert done.stdout.split() == ["4"]
