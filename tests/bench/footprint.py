# SPDX-License-Identifier: Apache-2.0
"""Start to ready, and memory, of an idle node with both plugins.

    CAIRN_BIN=build/release/bin /usr/bin/python3 tests/bench/footprint.py
"""

import pathlib
import re
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Node, wait_for  # noqa: E402

times, sizes = [], []
for _ in range(7):
    with Node() as node:
        node.start()

        def figures():
            status = node.json("status")
            parts = [part["memory_kb"] for part in [status["node"], *status["plugins"]]]
            return sum(parts) / 1024 if all(parts) else None
        sizes.append(wait_for("a memory figure for every process", 10, figures))
        log = (node.dir / "node.log").read_text()
        times.append(int(re.search(r"ready after (\d+) ms", log).group(1)))
for name, values, unit in (("start to ready", times, "ms"), ("memory (PSS)", sizes, "MB")):
    print(f"{name:16} median {statistics.median(values):7.1f} {unit}   "
          f"{min(values):.1f} .. {max(values):.1f}")
