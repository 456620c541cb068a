# SPDX-License-Identifier: Apache-2.0
"""The HL7 v2 listener in a confined node, and built outside the tree with what an installation has."""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import harness
from harness import Node, ROOT, contains, equal, free_port, main, wait_for

SOURCES = ROOT / "plugins" / "hl7v2"


def message(kind, control, patient="4711", more=""):
    return (f"MSH|^~\\&|LAB|HOSP|CAIRN|SITE|20240102||{kind}|{control}|P|2.5\r"
            f"PID|1||{patient}^^^HOSP^MR||Muster^Maximiliane||19700220|F\r{more}")


class Mllp:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)

    def send(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.socket.sendall(b"\x0b" + data + b"\x1c\r")

    def receive(self):
        data = b""
        while not data.endswith(b"\x1c\r"):
            part = self.socket.recv(65536)
            if not part:
                raise ConnectionError("closed by the plugin")
            data += part
        return data[1:-2].decode()

    def ask(self, text):
        """MSA-1 of the answer."""
        self.send(text)
        self.answer = self.receive()
        return self.answer.split("\rMSA|")[1].split("|")[0]


class Hl7Node(Node):
    def __init__(self, plugins=("hl7v2", "cohort")):
        super().__init__(plugins=())
        self.port = free_port()
        self.set("plugins/available/hl7v2.yaml", "port", self.port)
        if plugins:
            self.cairn("plugin", "enable", *plugins)

    def facts(self):
        """(jobs ready or taken, dead, done) of the queue."""
        queues = {q["queue"]: q for q in self.json("status")["queues"]}
        q = queues.get("facts", {"ready": 0, "taken": 0, "dead": 0, "done": 0})
        return q["ready"] + q["taken"], q["dead"], q["done"]


def test_what_is_acknowledged_is_done_by_the_cohort_engine():
    results = "OBR|1\rOBX|1|NM|2857-1^PSA^LN||4.5|ng/mL|||||F\rOBX|2|CWE|X^^L||C61^^I10\r"
    with Hl7Node().start() as node:
        sender = Mllp(node.port)
        for i, kind in enumerate(("ADT^A01", "ADT^A04", "ADT^A08", "ADT^A31")):
            equal(sender.ask(message(kind, i)), "AA", kind)
        equal(sender.ask(message("ORU^R01", 10, more=results)), "AA", "ORU")
        equal(sender.ask(message("ADT^A40", 11, more="MRG|4712^^^HOSP\r")), "AA", "a merge")
        equal(sender.ask(message("ADT^A03", 12)), "AR", "a discharge")
        contains(sender.answer, "ERR||MSH^1^9|201^^HL70357|E", "why")
        wait_for("the facts are taken", 20, lambda: node.facts()[0] == 0)
        equal(node.facts()[1], 0, "dead letters")
        kept = b"".join(p.read_bytes() for p in node.home.rglob("*") if p.is_file())
        for word in (b"Muster", b"Maximiliane", b"19700220"):
            equal(word in kept, False, f"{word} on the disk")


def test_the_same_message_again_is_put_once():
    with Hl7Node(plugins=("hl7v2",)).start() as node:
        sender = Mllp(node.port)
        for _ in range(3):
            equal(sender.ask(message("ADT^A01", 1)), "AA", "the same again")
        equal(sender.ask(message("ADT^A01", 1, patient="4712")), "AA", "the same control id")
        equal(node.facts()[0], 2, "jobs")


def key_of(control):
    """The first half of a job's key: FNV-1a of the control id."""
    hash = 0xcbf29ce484222325
    for byte in str(control).encode():
        hash = (hash ^ byte) * 0x100000001b3 % (1 << 64)
    return f"{hash:016x}"


def send_all(node, ids, acknowledged, done):
    """Sends each id until it was sent; those whose answer came are acknowledged."""
    sender = None
    for i in ids:
        try:
            if sender is None:
                sender = Mllp(node.port)
            sender.send(message("ORU^R01", i, patient=f"P{i}", more=f"OBX|1|NM|X^^L||{i}\r"))
            if f"\rMSA|AA|{i}\r" in sender.receive():
                acknowledged.append(i)
        except OSError:
            sender = None
            time.sleep(0.05)
    done.append(True)


def kill_while_sending(node, senders, each):
    """The control ids that were acknowledged, while the plugin is killed again and again."""
    acknowledged, done, chance = [], [], random.Random(7)
    threads = [threading.Thread(target=send_all, args=(
        node, range(n * each, (n + 1) * each), acknowledged, done)) for n in range(senders)]
    for thread in threads:
        thread.start()
    while len(done) < senders:
        plugin = node.plugin("hl7v2")
        if plugin.get("state") == "ready" and plugin["restarts"] < 8:
            time.sleep(chance.random() * 0.05)
            os.kill(plugin["pid"], signal.SIGKILL)
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    return acknowledged


def test_every_acknowledged_message_is_in_the_queue_after_kill_9():
    with Hl7Node(plugins=("hl7v2",)).start() as node:
        acknowledged = kill_while_sending(node, 4, 150)
        keys = {job["key"][:16] for job in node.json("job", "list")["jobs"]}
        equal([i for i in acknowledged if key_of(i) not in keys], [], "acknowledged, but not there")
        equal(len(acknowledged) > 20, True, f"some of them: {len(acknowledged)}")
        equal(node.plugin("hl7v2")["restarts"] >= 3, True, "the plugin was killed")
        print(f"{len(acknowledged)} acknowledged, {len(keys)} jobs")


def test_hostile_bytes_harm_nobody_else():
    chance = random.Random(7)
    with Hl7Node(plugins=("hl7v2",)).start() as node:
        good = Mllp(node.port)
        for i in range(150):
            with socket.create_connection(("127.0.0.1", node.port), 20) as bad:
                body = bytes(chance.randrange(256) for _ in range(chance.randrange(2000)))
                head = (b"", b"\x0b", b"\x0bMSH|^~\\&", b"\x0bMSH|^~\\&|||||||ORU^R01|1|P|2.5\rOBX")
                try:
                    bad.sendall(head[i % 4] + body + (b"\x1c\r" if i % 3 else b""))
                except OSError:
                    pass  # it was ended while we wrote
            if i % 30 == 0:
                equal(good.ask(message("ADT^A08", i, patient=f"P{i}")), "AA", "a good sender")
        giant = "OBX|1|NM|X^^L||" + "9" * 900000 + "\r"
        equal(good.ask(message("ORU^R01", 900, more=giant)), "AE", "a number of 900,000 digits")
        equal(good.ask(message("ORU^R01", 901, more="OBX|1|NM|X^^L||1\r" * 50000)), "AE",
              "50,000 observations")
        equal(node.plugin("hl7v2")["restarts"], 0, "crashes")


def test_it_is_built_outside_the_tree_with_what_the_sdk_installs():
    work = pathlib.Path(tempfile.mkdtemp(prefix="cairn-hl7-"))

    def run(*command):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, cwd=work, timeout=300)
        equal(done.returncode, 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout
    try:
        run("cmake", "--install", harness.BIN.parent, "--prefix", work / "prefix")
        shutil.copytree(SOURCES, work / "hl7v2")
        run("cmake", "-S", work / "hl7v2", "-B", "build", f"-DCMAKE_PREFIX_PATH={work / 'prefix'}",
            "-DCMAKE_C_FLAGS=-Werror")
        run("cmake", "--build", "build")
        contains(run("ctest", "--test-dir", "build", "--output-on-failure"),
                 "100% tests passed, 0 tests failed out of 2", "its own tests, and cairn plugin test")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def test_it_is_no_longer_than_400_lines():
    lines = sum(len(path.read_text().splitlines()) for path in SOURCES.glob("*.[ch]")
                if not path.name.endswith("_test.c"))
    equal(lines <= 400, True, f"{lines} lines")


if __name__ == "__main__":
    main(globals())
