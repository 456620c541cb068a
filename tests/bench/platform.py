# SPDX-License-Identifier: Apache-2.0
"""The plugin platform in a running node: calls with guard and ledger, and durable jobs, against bare
sockets; how long a plugin takes from spawn to ready; for how long an upgrade holds calls; what a host
weighs.

    CAIRN_BIN=build/release/bin /usr/bin/python3 tests/bench/platform.py [ROUNDS [COUNT]]
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from control import Control  # noqa: E402
from harness import BIN, ROOT, Node, wait_for  # noqa: E402

PLUGINS = ("cohort", "dicom", "hello")
VERSION = b"version: 0.1.0\nabi"


def memory(node):
    """Proportional memory of every process in MB, or None while it is not known."""
    status = node.json("status")
    parts = {p.get("name", "kernel"): p["memory_kb"] for p in [status["node"], *status["plugins"]]}
    return {name: kb / 1024 for name, kb in parts.items()} if all(parts.values()) else None


def ready_ms(node, control, name):
    """Enabled while the node runs: spawned, confined, loaded, started; seen within a millisecond."""
    node.cairn("plugin", "disable", name)
    begin = [0.0]

    def state():
        plugins = json.loads(control.call("kernel.status").body)["plugins"]
        return next((p["state"] for p in plugins if p["name"] == name), "gone")
    enabling = subprocess.Popen([str(BIN / "cairn"), "--home", str(node.home), "plugin", "enable",
                                 name], stdout=subprocess.DEVNULL)
    while (now := state()) != "ready":
        if now == "starting" and not begin[0]:
            begin[0] = time.monotonic()
        time.sleep(0.0005)
    took = time.monotonic() - begin[0]
    enabling.wait()
    assert begin[0], f"{name} was not seen starting"
    return took * 1e3


def pause_ms(node, name, number):
    """An upgrade to the same code as another version: for how long its calls were held."""
    data = (BIN.parent / "lib/cairn/plugins" / f"{name}.so").read_bytes()
    assert data.count(VERSION) == 1, f"{name} names its version otherwise"
    path = node.dir / f"v{number}" / f"{name}.so"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.replace(VERSION, VERSION.replace(b"1.0", b"1.%d" % number)))
    return node.json("plugin", "upgrade", str(path), "--yes")["pause_ms"]


def job_plugin(node):
    path = node.dir / "bench.so"
    subprocess.run(["cc", "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                    str(ROOT / "sdk/include"), "-o", str(path), str(ROOT / "tests/bench/job_put.c")],
                   check=True)
    node.cairn("plugin", "install", str(path), "--yes")
    node.cairn("plugin", "enable", "bench", "--yes", status=None)


def main():
    rounds = sys.argv[1] if len(sys.argv) > 1 else "7"
    count = sys.argv[2:3]
    with Node(plugins=PLUGINS) as node:
        job_plugin(node)
        node.start()
        # Before the calls: afterwards a process also holds what they needed.
        sizes = wait_for("a memory figure for every process", 15, lambda: memory(node))
        with Control(node) as control:
            times = {name: [ready_ms(node, control, name) for _ in range(int(rounds))]
                     for name in PLUGINS}
        pauses = {name: [pause_ms(node, name, i + 1) for i in range(min(int(rounds), 9))]
                  for name in PLUGINS}
        subprocess.run([str(BIN / "bench_call"), str(node.home / "run/control.sock"), rounds, *count],
                       check=True)
        print("\nplugin     spawn to ready, ms     upgrade holds calls, ms     host, MB (PSS)")
        for name in PLUGINS:
            print(f"{name:10} {statistics.median(times[name]):18.1f} "
                  f"{statistics.median(pauses[name]):27.0f} {sizes[name]:18.1f}")
        print(f"{'kernel':10} {'':18} {'':27} {sizes[next(n for n in sizes if n not in PLUGINS + ('bench',))]:18.1f}")


main()
