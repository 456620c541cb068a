# SPDX-License-Identifier: Apache-2.0
"""Random SIGKILLs over the kernel, the hosts of its plugins and the commands, under load:

    CAIRN_BIN=BUILD/bin /usr/bin/python3 tests/fault/kills.py [--count 1000] [--seed N]

Nothing acknowledged is lost (instances, imports, jobs), no job is stuck, no effect is there twice,
no process outlives the node, no socket or temporary file is left over, the ledger verifies, and all
plugins come back.  The seed decides who is killed and when; it is printed first, so that a run can
be repeated (as far as a machine's timing repeats).
"""

import argparse
import collections
import itertools
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from load import (BIN, PLUGINS, Caller, Commander, Instances, LoadedNode, Putter, Sender, equal, synth)
from harness import Skip, wait_for

SENDERS = 4
IMPORTED = 10
MR = ("modality = MR", "--purpose", "operations")
BACK_MAX_S = 30
ORPHAN_MAX_S = 5


def commands_of(run):
    """What is killed half way; each entry makes its arguments anew."""
    return [("import", lambda: ["--json", "import", str(run.folder())]),
            ("count", lambda: ["count", "*", "--purpose", "operations"]),
            ("export", lambda: ["export", *MR[:1], str(run.out), *MR[1:]]),
            ("plugin enable", lambda: ["plugin", "enable", "spare"]),
            ("plugin disable", lambda: ["plugin", "disable", "spare"]),
            ("job list", lambda: ["job", "list"]),
            ("ledger verify", lambda: ["ledger", "verify"])]


def processes_naming(text):
    """{pid: command line} of all processes with `text` in their command line, but this one."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found[int(entry.name)] = line
    return found


def names_in(home):
    """Every file's name with its numbers taken away: segments and logs come and go."""
    return {re.sub(r"\d+", "N", str(path.relative_to(home))) for path in home.rglob("*")
            if path.is_socket() or not path.is_dir()}


class Run:
    """One node, its load, and the killing."""

    def __init__(self, node, seed):
        self.node = node
        self.rng = random.Random(seed)
        self.out = node.dir / "out"
        self.instances = Instances(node.dir / "made")
        self.numbers = itertools.count(1)
        self.keys = itertools.count(1)
        self.folders = itertools.count(1)
        self.imported = []  # acknowledged by a command that ended well
        self.importing = []
        self.kills = collections.Counter()
        self.slowest = collections.Counter()
        self.commands = commands_of(self)
        self.loads = []

    def folder(self):
        """Files that no node has seen, to import."""
        path = self.node.dir / f"import/{next(self.folders)}"
        path.mkdir(parents=True)
        self.importing = []
        for number in itertools.islice(self.numbers, IMPORTED):
            uid, data = self.instances.file(number)
            (path / f"{number}.dcm").write_bytes(data)
            self.importing.append(uid)
        return path

    def prepare(self):
        """Everything once without a kill, so that the names of files that belong here are known."""
        made = self.node.dir / "mr"
        self.mr = synth(made, 6, seed=5, matrix=16)
        self.node.start()
        self.node.cairn("import", str(made))
        self.node.indexed()
        for name, arguments in self.commands:
            if name != "plugin enable":
                self.node.cairn(*arguments())
        self.imported += self.importing
        self.node.cairn("plugin", "enable", "spare")
        equal(self.node.stop(), 0, "exit status before any kill")
        self.names = names_in(self.node.home)
        self.node.start()

    def begin_load(self):
        self.senders = [Sender(self.node.port, self.instances, self.numbers) for _ in range(SENDERS)]
        self.putters = [Putter(self.node, self.keys) for _ in range(2)]
        self.caller, self.commander = Caller(self.node), Commander(self.node)
        self.loads = [*self.senders, *self.putters, self.caller, self.commander]
        for load in self.loads:
            load.start()

    def end_load(self):
        for load in self.loads:
            load.done.set()
        for load in self.loads:
            load.join(120)
            assert not load.is_alive(), f"{type(load).__name__} hangs"
        equal([p for load in self.loads for p in load.problems][:10], [], "problems under load")

    # ---- killing ---------------------------------------------------------------------------------

    def status(self):
        return self.node.json("status", status=None, timeout=60)

    def back(self, what, begin):
        def ready():
            if self.node.process.poll() is not None:
                raise AssertionError(f"the node ended by itself: {self.node.process.returncode}")
            states = {p["name"]: p["state"] for p in self.status().get("plugins", [])}
            return all(states.get(n) == "ready" for n in PLUGINS if n != "spare") and \
                states.get("spare", "ready") == "ready"
        wait_for(f"all ready after {what}", BACK_MAX_S, ready)
        self.slowest[what] = max(self.slowest[what], time.monotonic() - begin)

    def kill_kernel(self):
        begin = time.monotonic()
        if self.rng.random() < 0.15:  # once more while it comes up
            self.node.kill()
            self.kills["kernel"] += 1
            self.gone()
            self.node.start(wait=False)
            time.sleep(self.rng.uniform(0, 0.3))
        self.node.kill()
        self.kills["kernel"] += 1
        self.gone()
        self.node.start(wait=False)
        self.back("kernel", begin)

    def gone(self):
        """No host outlives its kernel."""
        end = time.monotonic() + ORPHAN_MAX_S
        while left := processes_naming(f"{self.node.home}/run/"):
            assert time.monotonic() < end, f"hosts that outlive their kernel: {left}"
            time.sleep(0.02)

    def kill_host(self):
        begin = time.monotonic()
        pids = {p["name"]: p.get("pid", 0) for p in self.status().get("plugins", [])}
        name = self.rng.choice(PLUGINS[:3])
        if not pids.get(name):
            return
        try:
            os.kill(pids[name], signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills[f"host of {name}"] += 1
        if self.rng.random() < 0.8:  # otherwise the next kill comes while it starts
            wait_for(f"another process of {name}", BACK_MAX_S,
                     lambda: self.node.plugin(name).get("pid", 0) not in (0, pids[name]))
            self.back(f"host of {name}", begin)

    def kill_command(self):
        name, arguments = self.rng.choice(self.commands)
        wait = self.rng.choice((0.002, 0.01, 0.03, 0.1)) * self.rng.random()
        process = subprocess.Popen([str(BIN / "cairn"), "--home", str(self.node.home), *arguments()],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL)
        time.sleep(wait)
        process.kill()
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            self.kills[f"cairn {name}"] += 1
        elif name == "import" and process.returncode == 0:
            self.imported += self.importing

    def kill(self, count):
        while sum(self.kills.values()) < count:
            time.sleep(self.rng.uniform(0.02, 0.4))
            dice = self.rng.random()
            if dice < 0.2:
                self.kill_kernel()
            elif dice < 0.6:
                self.kill_host()
            else:
                self.kill_command()
            if self.rng.random() < 0.02:
                self.import_whole()
            self.report(count)

    def import_whole(self):
        """An import that nobody kills is whole, whatever was killed before."""
        self.back("the last kill", time.monotonic())
        done = self.node.json("import", str(self.folder()))
        equal((done["imported"], done["refused"]), (IMPORTED, 0), "imported and refused")
        self.imported += self.importing

    def report(self, count):
        done = sum(self.kills.values())
        if done // 50 != getattr(self, "reported", 0):
            self.reported = done // 50
            print(f"        {done} of {count} kills, {sum(len(s.acknowledged) for s in self.senders)} "
                  f"instances and {sum(len(p.acknowledged) for p in self.putters)} jobs acknowledged",
                  flush=True)

    # ---- afterwards ------------------------------------------------------------------------------

    def check_commands(self):
        """What was killed half way goes through when it is run again."""
        self.node.cairn("plugin", "enable", "spare")
        self.back("everything", time.monotonic())
        self.node.cairn("export", MR[0], str(self.out), *MR[1:])
        equal(list(self.out.rglob("*.part")), [], "pieces of an export")

    def check_instances(self):
        indexed = self.node.indexed(300)
        out = self.node.dir / "all"
        self.node.cairn("export", "*", str(out), "--purpose", "operations", timeout=900)
        stored = {path.stem for path in out.rglob("*.dcm")}
        acknowledged = set(self.imported).union(*(s.acknowledged for s in self.senders))
        lost = acknowledged - stored
        print(f"        {len(acknowledged)} instances acknowledged, {len(lost)} of them lost; "
              f"{len(stored)} stored, {indexed} indexed")
        equal(sorted(lost)[:5], [], "acknowledged instances that are not there")
        equal(indexed, len(stored), "indexed instances against stored ones")

    def check_jobs(self):
        wait_for("no job waits", 60, lambda: not self.node.json("job", "list")["jobs"])
        equal([q for q in self.status()["queues"] if q["dead"]], [], "dead letters")
        effects = self.node.effects()
        acknowledged = set().union(*(p.acknowledged for p in self.putters))
        lost = acknowledged - set(effects)
        twice = len(effects) - len(set(effects))
        repeated = sum(p.repeated for p in self.putters)
        print(f"        {len(acknowledged)} jobs acknowledged, {len(lost)} without effect, {twice} "
              f"effects twice; {repeated} puts were repeated")
        equal(sorted(lost)[:5], [], "acknowledged jobs without an effect")
        equal(twice, 0, "effects that are there twice")

    def check_left_over(self):
        equal(self.node.json("ledger", "verify", timeout=600)["intact"], True, "the ledger, running")
        equal(self.node.stop(), 0, "exit status at the end")
        report = self.node.json("ledger", "verify", timeout=600)
        equal(report["intact"], True, "the ledger, stopped")
        print(f"        the ledger's {report['records']} records verify")
        equal(processes_naming(str(self.node.dir)), {}, "processes that outlived the node")
        names = names_in(self.node.home)
        equal(sorted(n for n in names - self.names if not re.match("log/", n)), [], "files left over")

    def check_once_more(self):
        before = len(self.node.effects())
        self.node.start()
        self.back("a last start", time.monotonic())
        equal(self.node.stop(), 0, "exit status of the last start")
        equal(len(self.node.effects()), before, "effects after a last start")


def run(count, seed):
    print(f"        seed {seed}, {count} kills", flush=True)
    begin = time.monotonic()
    with LoadedNode() as node:
        one = Run(node, seed)
        one.prepare()
        one.begin_load()
        try:
            one.kill(count)
            one.back("the last kill", time.monotonic())
        finally:
            for load in one.loads:
                load.done.set()
        one.end_load()
        took = time.monotonic() - begin
        one.check_commands()
        one.check_instances()
        one.check_jobs()
        one.check_left_over()
        one.check_once_more()
        summarize(one, took, time.monotonic() - begin)


def summarize(one, took, whole):
    for what, number in sorted(one.kills.items()):
        slowest = one.slowest.get(what)
        print(f"        {number:5} {what}" + (f", back after at most {slowest:.2f} s" if slowest else ""))
    print(f"        {sum(one.kills.values())} kills in {took:.0f} s, checked after {whole:.0f} s; "
          f"{len(one.caller.acknowledged)} calls answered, {one.caller.refused} refused with a reason; "
          f"{len(one.commander.acknowledged)} commands done, {one.commander.refused} refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    try:
        run(options.count, seed)
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    print("ok", flush=True)


if __name__ == "__main__":
    main()
