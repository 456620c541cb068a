# SPDX-License-Identifier: Apache-2.0
"""The plugin platform in a running node: calls with guard and ledger against bare sockets, how long
a plugin takes from spawn to ready, what a host weighs.

    CAIRN_BIN=build/release/bin /usr/bin/python3 tests/bench/platform.py [ROUNDS]
"""

import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import BIN, Node, wait_for  # noqa: E402

PLUGINS = ("cohort", "dicom", "hello")


def memory(node):
    """Proportional memory of every process in MB, or None while it is not known."""
    status = node.json("status")
    parts = {p.get("name", "kernel"): p["memory_kb"] for p in [status["node"], *status["plugins"]]}
    return {name: kb / 1024 for name, kb in parts.items()} if all(parts.values()) else None


def ready_ms(node, name):
    """A restart: the old process stops, the new one is spawned, confined and ready."""
    begin = time.monotonic()
    node.cairn("plugin", "restart", name)
    return (time.monotonic() - begin) * 1e3


def main():
    rounds = sys.argv[1] if len(sys.argv) > 1 else "7"
    with Node(plugins=PLUGINS) as node:
        node.start()
        subprocess.run([str(BIN / "bench_call"), str(node.home / "run/control.sock"), rounds],
                       check=True)
        print("\nplugin     restart to ready, ms     host, MB (PSS)")
        times = {name: [] for name in PLUGINS}
        for _ in range(int(rounds)):
            for name in PLUGINS:
                times[name].append(ready_ms(node, name))
        sizes = wait_for("a memory figure for every process", 15, lambda: memory(node))
        for name in PLUGINS:
            print(f"{name:10} {statistics.median(times[name]):17.1f} {sizes[name]:18.1f}")
        others = [kb for name, kb in sizes.items() if name not in PLUGINS]
        print(f"{'kernel':10} {'':17} {others[0]:18.1f}")


main()
