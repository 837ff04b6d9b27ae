"""What ``finlmm --help`` costs: CPU seconds of the whole process, and heavy libraries imported (there must be none).

Usage: python benchmarks/startup.py [--runs N]
Prints ``startup.cpu_seconds`` (median) and ``startup.heavy_imports`` as JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "sklearn", "faiss", "onnxruntime", "transformers", "cv2", "pypdfium2", "pdfminer", "pyarrow", "numpy")
PROBE = """
import json, sys
sys.argv = ["finlmm", "--help"]
from finlmm_core.cli.app import main
try:
    main()
except SystemExit:
    pass
print("HEAVY " + json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


def cpu_seconds(command: list[str]) -> float:
    """Return user and system seconds of a command's process."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{command} ended with status {status}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    command = [str(Path(sys.executable).with_name("finlmm")), "--help"]
    cpu_seconds(command)  # the first run may write byte code
    seconds = [cpu_seconds(command) for _ in range(runs)]
    answer = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY)], capture_output=True, text=True, check=True
    ).stdout
    heavy = json.loads(answer.rsplit("HEAVY ", 1)[1])
    print(
        json.dumps(
            {"what": "startup.cpu_seconds", "value": round(statistics.median(seconds), 3), "unit": "s", "n": runs}
        )
    )
    print(
        json.dumps(
            {"what": "startup.heavy_imports", "value": len(heavy), "unit": "modules", "n": len(HEAVY), "names": heavy}
        )
    )


if __name__ == "__main__":
    main()
