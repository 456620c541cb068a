# SPDX-License-Identifier: Apache-2.0
"""What goes on while things are killed, and what was acknowledged meanwhile: associations that
store, jobs that are put, calls, commands.  Each is a thread that tries again when its peer is gone."""

import itertools
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from control import Control  # noqa: E402
from harness import BIN, Node, Scu, equal, need, read_part10, synth  # noqa: E402

CT = "1.2.840.10008.5.1.4.1.1.2"
KEY_BYTES = 16
COMMAND_MAX_S = 60
PLUGINS = ("dicom", "cohort", "effects", "spare")


def plugin_folder(folder):
    """The built plugins of the node and of this test in one folder."""
    for source in ("plugins/dicom.so", "plugins/cohort.so", "fault-plugins/effects.so",
                   "fault-plugins/spare.so"):
        shutil.copy(need(BIN.parent / "lib/cairn" / source), folder)
    return folder


class LoadedNode(Node):
    """A node with the hospital's plugins and the counting ones; UIDs stay, so that what was
    acknowledged can be looked for by name."""

    def __init__(self):
        self.plugin_dir = pathlib.Path(tempfile.mkdtemp(prefix="cairn-it-plugins-"))
        super().__init__(plugins=PLUGINS, settings={"deid.options": "[retain-uids]"},
                         node_settings={"plugin_dir": str(plugin_folder(self.plugin_dir)),
                                        "restart_limit": 1000})

    def __exit__(self, *args):
        try:
            super().__exit__(*args)
        finally:
            shutil.rmtree(self.plugin_dir, ignore_errors=True)

    def effects(self, plugin="effects"):
        """The keys of all jobs that had their effect, in order."""
        path = self.home / f"state/{plugin}/effects"
        data = path.read_bytes() if path.exists() else b""
        equal(len(data) % (KEY_BYTES + 1), 0, "an effect that was cut off")
        return data.decode().split("\n")[:-1]


class Instances:
    """CT instances without end: one made one under ever new SOP Instance UIDs.  Thread-safe."""

    def __init__(self, folder):
        for path in synth(folder, 20, matrix=16):
            sop_class, self.uid, self.dataset = read_part10(path)
            if sop_class == CT:
                self.part10 = pathlib.Path(path).read_bytes()
                return
        raise AssertionError("no CT among the made instances")

    def named(self, index):
        """The index-th UID: of the same length, so that it can be put in the old one's place."""
        return "2.25." + f"1{index:0{len(self.uid) - 6}d}"

    def store(self, index):
        uid = self.named(index)
        return uid, self.dataset.replace(self.uid.encode(), uid.encode(), 1)

    def file(self, index):
        uid = self.named(index)
        return uid, self.part10.replace(self.uid.encode(), uid.encode())


class Load(threading.Thread):
    """Steps until told to stop; a step that raises what a dead peer raises is tried again."""

    def __init__(self, pause):
        super().__init__(daemon=True)
        self.pause = pause
        self.acknowledged = []
        self.problems = []
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                self.work()
            except (OSError, ConnectionError):
                time.sleep(0.02)
            except Exception as problem:  # a finding: shown at the end
                self.problems.append(f"{type(self).__name__}: {problem!r}")
                time.sleep(0.2)

    def pause_now(self):
        self.done.wait(self.pause)


class Sender(Load):
    """One association after the other that stores."""

    def __init__(self, port, instances, numbers, pause=0.03):
        super().__init__(pause)
        self.port, self.instances, self.numbers = port, instances, numbers
        self.pending = None

    def work(self):
        scu = Scu(self.port, CT, timeout=20)
        try:
            while not self.done.is_set():
                if self.pending is None:
                    self.pending = self.instances.store(next(self.numbers))
                uid, dataset = self.pending
                if scu.store(uid, dataset) == 0:
                    self.acknowledged.append(uid)
                    self.pending = None
                self.pause_now()
        finally:
            scu.close()


class Putter(Load):
    """Puts jobs; a key whose fate is unknown is put again, until it is acknowledged."""

    def __init__(self, node, numbers, pause=0.02):
        super().__init__(pause)
        self.node, self.numbers = node, numbers
        self.key = None
        self.repeated = 0

    def work(self):
        with Control(self.node, timeout=20) as control:
            while not self.done.is_set():
                if self.key is None:
                    self.key = f"k{next(self.numbers):0{KEY_BYTES - 1}d}"
                else:
                    self.repeated += 1
                answer = control.call("effects.put", self.key.encode(), timeout_ms=10000)
                if answer.code == 0:
                    self.acknowledged.append(self.key)
                    self.key = None
                elif not answer.text:
                    raise AssertionError(f"code {answer.code} without a word")
                self.pause_now()


class Caller(Load):
    """Steady calls: each is answered, or refused with a reason."""

    def __init__(self, node, pause=0.02):
        super().__init__(pause)
        self.node = node
        self.refused = 0

    def work(self):
        with Control(self.node, timeout=20) as control:
            while not self.done.is_set():
                answer = control.call("effects.show", timeout_ms=10000)
                if answer.code == 0 and answer.body.startswith(b"applied="):
                    self.acknowledged.append(True)
                elif answer.code != 0 and answer.text:
                    self.refused += 1
                else:
                    raise AssertionError(f"answer {answer.code} {answer.text!r} {answer.body!r}")
                self.pause_now()


class Commander(Load):
    """Commands that nobody kills: they do what they say or fail with words, soon."""

    def __init__(self, node, pause=0.5):
        super().__init__(pause)
        self.node = node
        self.refused = 0
        self.commands = itertools.cycle([("count", "*", "--purpose", "operations"), ("job", "list"),
                                         ("plugin", "list"), ("ledger", "verify"), ("status",)])

    def work(self):
        command = next(self.commands)
        done = subprocess.run([str(BIN / "cairn"), "--home", str(self.node.home), *command],
                              capture_output=True, text=True, timeout=COMMAND_MAX_S,
                              stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            self.acknowledged.append(True)
        elif done.returncode == 1 and (done.stderr or done.stdout):
            self.refused += 1
            if command == ("ledger", "verify") and "intact" not in done.stdout:
                self.problems.append(f"ledger verify: {done.stdout}{done.stderr}")
        else:
            raise AssertionError(f"{command}: exit {done.returncode}: {done.stderr}")
        self.pause_now()
