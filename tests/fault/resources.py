# SPDX-License-Identifier: Apache-2.0
"""What a node does when something runs out: the disk, descriptors, memory, time.  What was
acknowledged stays, the message says what is missing, and when there is room again the node goes on
by itself.  Damaged files are in damage.py."""

import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from load import BIN, CT, KEY_BYTES, Instances, LoadedNode
from control import Control
from harness import Scu, Skip, contains, equal, main, need, wait_for
from kills import names_in

DISK_MB = 96 # with the reserve of 64 MiB that the connector leaves
DAY_S = 86400
DESCRIPTORS = 128
CLOCK = BIN.parent / "lib/cairn/fault-plugins/clock.so"


class SmallDisk(LoadedNode):
    """A node whose home is a file system of its own, of a few MiB."""

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip("only root can mount a small file system")
        aside = self.dir / "aside"
        self.home.rename(aside)
        self.home.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "none",
                                  str(self.home)], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.home.rmdir()
            aside.rename(self.home)
            raise Skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        shutil.copytree(aside, self.home, symlinks=True, dirs_exist_ok=True)
        return self

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.home)], check=True)

    def __exit__(self, *args):
        try:
            if self.process is not None and self.process.poll() is None and args[0] is None:
                equal(self.stop(), 0, "the node's exit status")
        finally:
            if self.process is not None and self.process.poll() is None:
                self.kill()
            home = str(self.home)
            try:
                super().__exit__(*args)
            finally:
                subprocess.run(["umount", "-l", home], capture_output=True)
                shutil.rmtree(self.dir, ignore_errors=True)


def fill(path):
    """Writes until nothing more fits."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


def store_some(node, instances, numbers):
    """UIDs that were acknowledged, and the statuses of those that were not."""
    acknowledged, refused = [], []
    scu = Scu(node.port, CT, timeout=30)
    for number in numbers:
        uid, dataset = instances.store(number)
        try:
            status = scu.store(uid, dataset)
        except (OSError, ConnectionError):
            scu = Scu(node.port, CT, timeout=30)
            continue
        acknowledged += [uid] if status == 0 else []
        refused += [status] if status != 0 else []
    scu.close()
    return acknowledged, refused


def stored(node):
    node.indexed(60)
    out = node.dir / f"out{time.monotonic_ns()}"
    node.cairn("export", "*", str(out), "--purpose", "operations")
    return {path.stem for path in out.rglob("*.dcm")}


def put(node, key):
    with Control(node) as control:
        return control.call("effects.put", key.ljust(KEY_BYTES, ".").encode())


# ---- the disk ----------------------------------------------------------------------------------

def test_a_full_disk_loses_nothing_acknowledged_and_is_overcome_without_help():
    with SmallDisk() as node:
        instances = Instances(node.dir / "made")
        node.start()
        before, _ = store_some(node, instances, range(1, 21))
        equal(len(before), 20, "instances stored while there is room")
        equal(put(node, "before").code, 0, "a job put while there is room")
        fill(node.home / "filler")
        during, refused = store_some(node, instances, range(100, 140))
        answer = put(node, "during")
        print(f"        on the full disk {len(during)} of 40 instances were acknowledged, "
              f"{len(refused)} refused (statuses {sorted({hex(s) for s in refused})}); a job: "
              f"{answer.code} {answer.text!r}")
        assert refused, "nothing was refused, the disk was not full"
        assert all(0xa700 <= s < 0xa800 or 0xc000 <= s < 0xd000 for s in refused), refused
        node.cairn("count", "*", "--purpose", "operations", status=None)
        equal(node.process.poll(), None, "the kernel goes on")
        logs = "".join(p.read_text(errors="replace") for p in
                       [node.dir / "node.log", *node.home.glob("log/*.log")])
        contains(logs, "make room, then send again", "what the connector's log says")
        (node.home / "filler").unlink()

        def works():
            try:
                good, _ = store_some(node, instances, range(200, 203))
            except OSError:
                return False
            return len(good) == 3 and put(node, "after").code == 0
        wait_for("service after the disk has room again", 60, works)
        there = stored(node)
        equal(sorted(set(before + during) - there), [], "acknowledged instances missing")
        wait_for("jobs done", 30, lambda: {"before".ljust(KEY_BYTES, "."), "after".ljust(
            KEY_BYTES, ".")} <= set(node.effects()))
        if answer.code == 0:
            assert "during".ljust(KEY_BYTES, ".") in node.effects(), "an acknowledged job"
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")
        equal(node.stop(), 0, "exit status")
        node.start()
        equal(stored(node) >= there, True, "instances after a restart")


def test_a_node_that_starts_on_a_full_disk_says_so_and_starts_later():
    with SmallDisk() as node:
        instances = Instances(node.dir / "made")
        node.start()
        good, _ = store_some(node, instances, range(1, 11))
        equal(node.stop(), 0, "exit status")
        fill(node.home / "filler")
        node.start(wait=False)
        try:
            ended = node.process.wait(10)
        except subprocess.TimeoutExpired:
            ended = None
        text = (node.dir / "node.log").read_text()
        assert ended in (None, 1), f"exit status {ended}"
        if ended is None:
            node.stop()
        contains(text, "No space left on device", "what it says")
        (node.home / "filler").unlink()
        node.start()
        equal(stored(node) >= set(good), True, "what was acknowledged is there")


def test_a_home_that_can_only_be_read_is_named():
    with SmallDisk() as node:
        node.start()
        equal(node.stop(), 0, "exit status")
        node.remount("ro")
        node.start(wait=False)
        equal(node.process.wait(20), 1, "exit status")
        node.process = None
        said = (node.dir / "node.log").read_text().splitlines()[-1]
        contains(said, "Read-only file system", "what it says")
        contains(said, str(node.home), "what it names")
        for command in (("plugin", "disable", "spare"), ("plugin", "enable", "spare")):
            node.cairn(*command, status=None)
            if node.status != 0:
                contains(node.stderr, "Read-only file system", f"{command}")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger, read")
        node.remount("rw")
        node.start()


# ---- descriptors -------------------------------------------------------------------------------

def test_500_connections_to_a_node_with_few_descriptors():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with LoadedNode() as node:
        node.log = open(node.dir / "node.log", "ab")
        node.process = subprocess.Popen([str(BIN / "cairnd"), "--home", str(node.home)],
                                        stderr=node.log, stdin=subprocess.DEVNULL, preexec_fn=few)
        node.wait_ready()
        instances = Instances(node.dir / "made")
        good, _ = store_some(node, instances, range(1, 6))
        held = []
        for target in ("control", "dicom"):
            for _ in range(500):
                one = socket.socket(socket.AF_UNIX if target == "control" else socket.AF_INET)
                one.settimeout(1)
                try:
                    one.connect(str(node.home / "run/control.sock") if target == "control" else
                                ("127.0.0.1", node.port))
                    held.append(one)
                except OSError:
                    one.close()
        pid = node.process.pid
        before = ticks(pid)
        time.sleep(2)
        used = (ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
        print(f"        {len(held)} of 1000 connections were taken; {used:.2f} s of CPU in 2 s")
        assert used < 1, f"the kernel spins: {used:.2f} s of CPU in 2 s"
        equal(node.process.poll(), None, "the kernel goes on")
        for one in held:
            one.close()

        def serves():
            try:
                return len(store_some(node, instances, range(10, 13))[0]) == 3 and \
                    put(node, "after").code == 0
            except (OSError, ConnectionError):
                return False
        wait_for("service once they are gone", 30, serves)
        equal(stored(node) >= set(good), True, "what was acknowledged is there")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


# ---- time --------------------------------------------------------------------------------------

class OtherTime(LoadedNode):
    """A node whose kernel's clock this test sets."""

    def __enter__(self):
        self.clock = self.dir / "clock"
        self.clock.write_bytes(struct.pack("=q", 0))
        return self

    def set_clock(self, seconds):
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("=q", seconds))

    def start(self, wait=True):
        options = os.environ.get("ASAN_OPTIONS", "")
        self.log = open(self.dir / "node.log", "ab")
        self.process = subprocess.Popen(
            [str(BIN / "cairnd"), "--home", str(self.home)], stderr=self.log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LD_PRELOAD": str(need(CLOCK)), "CLOCK_SHIFT": str(self.clock),
                 "ASAN_OPTIONS": options + ":verify_asan_link_order=0"})
        if wait:
            self.wait_ready()
        return self


def serves_at(node, instances, what, number):
    """Everything works at this time, jobs that are tried again too."""
    good, refused = store_some(node, instances, range(number, number + 5))
    equal((len(good), refused), (5, []), f"stored with the clock {what}")
    key = f"r{what}"
    equal(put(node, key).code, 0, f"a job put with the clock {what}")
    wait_for(f"a job that is tried again, the clock {what}", 30,
             lambda: key.ljust(KEY_BYTES, ".") in node.effects())
    assert node.indexed() >= 5, "indexed"
    node.cairn("ledger", "verify")
    return good


def test_a_clock_that_is_set_back_or_forward_by_a_day_stops_nothing():
    with OtherTime() as node:
        node.start()
        instances = Instances(node.dir / "made")
        good = serves_at(node, instances, "right", 1)
        for number, (what, seconds) in enumerate((("back", -DAY_S), ("forward", DAY_S))):
            node.set_clock(seconds)
            good += serves_at(node, instances, what, 100 + 100 * number)
            ended = node.json("ledger", "tail", "--records", "1")["records"][0]["time"]
            assert ended, "no time in the record"
            node.set_clock(0)
            good += serves_at(node, instances, f"{what} off", 150 + 100 * number)
        equal(sorted(set(good) - stored(node)), [], "acknowledged instances missing")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")
        check_time(node)


def check_time(node):
    """That the shim was in force, or this test proves nothing."""
    times = {r["time"][:10] for r in node.json("ledger", "tail", "--records", "100000")["records"]}
    assert len(times) >= 3, f"records of only these days: {times}"


def test_a_job_that_waits_outlives_a_restart_at_an_earlier_time():
    with OtherTime() as node:
        node.set_clock(DAY_S)
        node.start()
        keys = [f"r{i}".ljust(KEY_BYTES, ".") for i in range(20)]
        for key in keys:
            equal(put(node, key).code, 0, "a put")
        node.kill()
        node.set_clock(0)
        node.start()
        wait_for("jobs tried again a day earlier", 60, lambda: set(keys) <= set(node.effects()))
        equal(len(node.effects()), len(set(node.effects())), "effects, each once")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")


# ---- restarts and memory -----------------------------------------------------------------------

def test_a_kernel_that_is_started_50_times_leaves_nothing_behind():
    with LoadedNode() as node:
        instances = Instances(node.dir / "made")
        node.start()
        good, _ = store_some(node, instances, range(1, 6))
        node.indexed()
        node.cairn("job", "list")
        equal(node.stop(), 0, "exit status")
        names = names_in(node.home)
        begin, slowest = time.monotonic(), 0
        for number in range(50):
            start = time.monotonic()
            node.start()
            slowest = max(slowest, time.monotonic() - start)
            more, _ = store_some(node, instances, [1000 + number])
            good += more
            if number % 3 == 2:
                node.kill()
            else:
                equal(node.stop(), 0, "exit status")
        print(f"        50 starts in {time.monotonic() - begin:.1f} s, ready after at most "
              f"{slowest:.2f} s")
        equal(len(good), 55, "instances acknowledged")
        node.start()
        equal(sorted(set(good) - stored(node)), [], "acknowledged instances missing")
        equal(node.stop(), 0, "exit status")
        left = {n for n in names_in(node.home) - names if not n.startswith("log/")}
        equal(sorted(left), [], "files left over")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")


def test_a_node_with_too_little_address_space_says_so():
    if b"__asan_init" in (BIN / "cairnd").read_bytes():
        raise Skip("the sanitizer needs the whole address space")
    with LoadedNode() as node:
        node.start()
        equal(node.stop(), 0, "exit status")
        limit = 512 << 20
        node.log = open(node.dir / "node.log", "ab")
        node.process = subprocess.Popen(
            [str(BIN / "cairnd"), "--home", str(node.home)], stderr=node.log,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        status = node.process.wait(30)
        node.process = None
        said = (node.dir / "node.log").read_text().splitlines()[-1]
        print(f"        it said: {said}")
        equal(status, 1, "exit status")
        contains(said, "memory", "what it says")
        node.start()


def test_a_plugin_beyond_its_memory_is_refused_and_the_others_serve():
    if b"__asan_init" in (BIN / "cairnd").read_bytes():
        raise Skip("the sanitizer needs its memory")
    with LoadedNode() as node:
        node.set("node.yaml", "plugin_memory_mb", 256)
        node.start()
        instances = Instances(node.dir / "made")
        good, refused = store_some(node, instances, range(1, 200))
        assert good, f"nothing was stored: {refused[:3]}"
        equal(sorted(set(good) - stored(node)), [], "acknowledged instances missing")
        equal(node.process.poll(), None, "the kernel goes on")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main(globals())
