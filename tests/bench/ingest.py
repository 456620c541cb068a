# SPDX-License-Identifier: Apache-2.0
"""C-STORE ingest: Cairn against storescp and Orthanc, interleaved, medians.

    CAIRN_BIN=build/release/bin /usr/bin/python3 tests/bench/ingest.py [--rounds 5] [--quick]

Senders: `storescu +sd` as it comes, and CAIRN_SHARED/bench/dicom/fastsend with 1 and 4 associations.
Durability: Cairn `power` (fdatasync before the answer) and `process` (write before the answer, which
is what storescp does; Orthanc as it comes syncs its files, tuned it does not).
The floors: a socket that writes nothing, or a file each (CAIRN_SHARED/bench/dicom/floor), or appends
all to one file, synced or not (bench_floor).
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Node, SHARED, free_port, wait_for  # noqa: E402

BENCH = SHARED / "bench/dicom"


class Cairn:
    def __init__(self, work, durability):
        self.name = f"cairn, {durability}"
        self.durability = durability

    def start(self):
        self.node = Node(settings={"durability": self.durability})
        self.node.start()
        self.port = self.node.port

    def stop(self):
        self.node.stop()
        shutil.rmtree(self.node.dir)


class Process:
    """A receiver that is one process listening on a port."""

    def start(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
        self.port = free_port()
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=self.dir,
                                        env=dict(os.environ, **self.environment))
        wait_for(self.name, 20, self.listens)

    def listens(self):
        return subprocess.run(["echoscu", "127.0.0.1", str(self.port)], capture_output=True
                              ).returncode == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Storescp(Process):
    def __init__(self, name, options, nodelay):
        self.name, self.options = name, options
        self.environment = {"TCP_NODELAY": "1"} if nodelay else {}

    def command(self):
        return ["storescp", *self.options, "-od", str(self.dir), str(self.port)]


class Orthanc(Process):
    def __init__(self, name, kind, nodelay):
        self.name, self.kind = name, kind
        self.environment = {"TCP_NODELAY": "1"} if nodelay else {}

    def command(self):
        subprocess.run(["bash", str(BENCH / "mkorthanc.sh"), self.kind, str(self.dir)], check=True)
        path = self.dir / "orthanc.json"
        text = path.read_text().replace("34242", str(self.port)).replace("38042", str(free_port()))
        text = re.sub(r'"Plugins":\[[^\]]*\]', '"Plugins":[]', text)
        path.write_text(text)
        return ["Orthanc", str(path)]


class Floor(Process):
    """Length-prefixed files over TCP, written to a file each or thrown away."""
    environment = {}

    def __init__(self, name, mode, fastfloor):
        self.name, self.mode, self.fastfloor = name, mode, fastfloor

    def command(self):
        return [str(self.fastfloor), "recv", str(self.port), str(self.dir), *self.mode]

    def listens(self):
        time.sleep(0.2)
        return True


class Appender(Floor):
    """Our own receiver for the same protocol: everything into one file, `sync` before the answer."""

    def command(self):
        return [os.environ["CAIRN_BIN"] + "/bench_floor", str(self.port), str(self.dir / "segment"),
                *self.mode]


def send_fast(tool, receiver, folder, associations, limit):
    """Instances per second."""
    if isinstance(receiver, Floor):
        out = subprocess.run([str(receiver.fastfloor), "send", "127.0.0.1", str(receiver.port),
                              str(folder), str(associations)], capture_output=True, text=True).stdout
    else:
        out = subprocess.run([str(tool), "-j", str(associations), "-k", str(limit), "127.0.0.1",
                              str(receiver.port), str(folder)], capture_output=True, text=True).stdout
    match = re.search(r"ok=(\d+).*inst/s=(\d+)", out)
    if match is None or ("bad=" in out and " bad=0 err=0" not in out):
        raise RuntimeError(f"{receiver.name}: {out}")
    return float(match.group(2))


def send_default(receiver, folder, limit):
    """`storescu` as it comes, on the first `limit` files."""
    files = [str(p) for p in sorted(folder.iterdir())[:limit]]
    begin = time.monotonic()
    subprocess.run(["storescu", "127.0.0.1", str(receiver.port), *files], check=True,
                   capture_output=True)
    return limit / (time.monotonic() - begin)


def row(name, values):
    median = statistics.median(values)
    print(f"  {name:34} {median:9.0f}  {min(values):9.0f} .. {max(values):.0f}", flush=True)
    return median


def compare(title, receivers, rounds, send):
    """Interleaved: every receiver once per round, each on a fresh store."""
    print(f"\n{title}: instances/s, median of {rounds} interleaved rounds (least .. most)")
    results = {r.name: [] for r in receivers}
    for _ in range(rounds):
        for receiver in receivers:
            receiver.start()
            try:
                results[receiver.name].append(send(receiver))
            finally:
                receiver.stop()
    return {name: row(name, values) for name, values in results.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workload", help="a folder made by workload.py; default: make one")
    parser.add_argument("--small", type=int, default=20000, help="how many small ones")
    parser.add_argument("--only", default="", help="part of a table's title")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    for tool in ("fastsend", "floor"):
        subprocess.run(["gcc", "-O2", "-w", "-o", str(work / tool), str(BENCH / f"{tool}.c"),
                        "-lpthread"], check=True)
    workload = pathlib.Path(options.workload or work / "workload")
    if not workload.exists():
        subprocess.run(["/usr/bin/python3", str(pathlib.Path(__file__).parent / "workload.py"),
                        os.environ["CAIRN_BIN"], str(workload)], check=True)
    fast = work / "fastsend"
    ours = [Cairn(work, "power"), Cairn(work, "process")]
    by_default = [*ours, Storescp("storescp", [], False), Orthanc("Orthanc", "default", False)]
    tuned = [*ours, Storescp("storescp +B, 128 KB, nodelay", ["+B", "-pdu", "131072"], True),
             Orthanc("Orthanc tuned, nodelay", "tuned", True),
             Appender("floor: appended", [], work / "floor"),
             Appender("floor: appended and synced", ["sync"], work / "floor"),
             Floor("floor: nothing written", ["nowrite"], work / "floor"),
             Floor("floor: a file each", [], work / "floor")]
    forked = [*ours, Storescp("storescp --fork +B, nodelay", ["--fork", "+B", "-pdu", "131072"],
                              True), *tuned[3:]]
    tables = [
        ("2,000 CT, default storescu (first 100)", by_default,
         lambda r: send_default(r, workload / "ct2000", 100)),
        ("20,000 small, default storescu (first 100)", by_default,
         lambda r: send_default(r, workload / "small20000", 100)),
        ("2,000 CT, fastsend, 1 association", tuned,
         lambda r: send_fast(fast, r, workload / "ct2000", 1, 2000)),
        ("2,000 CT, fastsend, 4 associations", forked,
         lambda r: send_fast(fast, r, workload / "ct2000", 4, 2000)),
        ("20,000 small, fastsend, 1 association", tuned,
         lambda r: send_fast(fast, r, workload / "small20000", 1, options.small)),
        ("20,000 small, fastsend, 4 associations", forked,
         lambda r: send_fast(fast, r, workload / "small20000", 4, options.small)),
    ]
    for title, receivers, send in tables:
        if options.only in title:
            compare(title, receivers, options.rounds, send)
    shutil.rmtree(work)


main()
