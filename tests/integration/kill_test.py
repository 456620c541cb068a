# SPDX-License-Identifier: Apache-2.0
"""Killed at any moment, nothing that was acknowledged is lost: four associations store while the
connector's process (and then the kernel) is killed again and again."""

import os
import random
import signal
import subprocess
import threading
import time

from harness import BIN, Node, Scu, contains, equal, main, read_part10, synth, wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"
SENDERS = 4
KILLS = 20


class Sender(threading.Thread):
    """Stores its files over and over on associations that break, until told to stop; an instance is
    acknowledged once its response said success."""

    def __init__(self, port, instances):
        super().__init__(daemon=True)
        self.port, self.instances = port, instances
        self.acknowledged = set()
        self.attempts = 0
        self.error = None
        self.done = threading.Event()

    def run(self):
        pending = list(self.instances)
        while not self.done.is_set() and pending:
            try:
                scu = Scu(self.port, CT, timeout=10)
                while pending and not self.done.is_set():
                    uid, dataset = pending[0]
                    self.attempts += 1
                    status = scu.store(uid, dataset)
                    if status != 0:
                        self.error = f"status {status:04x}"
                        time.sleep(0.05)
                        continue
                    self.acknowledged.add(uid)
                    pending.pop(0)
                scu.close()
            except (OSError, ConnectionError):
                time.sleep(0.02)


def ct_instances(folder, count):
    """(UID, data set) of `count` CT instances: a few made ones under ever new SOP Instance UIDs."""
    made = []
    for path in synth(folder, 20, matrix=64):
        sop_class, uid, dataset = read_part10(path)
        if sop_class == CT:
            made.append((uid, dataset))
    found = []
    for index in range(count):
        uid, dataset = made[index % len(made)]
        fresh = f"2.25.{index + 1:0{len(uid) - 6}d}".replace("2.25.0", "2.25.1", 1).ljust(
            len(uid), "7")[:len(uid)]
        found.append((fresh, dataset.replace(uid.encode(), fresh.encode(), 1)))
    assert len({uid for uid, _ in found}) == count
    return found


def store_while(node, kill, kills):
    instances = ct_instances(node.dir / "pacs", 40000)
    share = len(instances) // SENDERS
    senders = [Sender(node.port, instances[i * share:(i + 1) * share]) for i in range(SENDERS)]
    for sender in senders:
        sender.start()
    rng = random.Random(4711)
    for _ in range(kills):
        time.sleep(rng.uniform(0.05, 0.6))
        kill()
    for sender in senders:
        sender.done.set()
    for sender in senders:
        sender.join(60)
    acknowledged = set().union(*(s.acknowledged for s in senders))
    assert len(acknowledged) > 20, f"only {len(acknowledged)} acknowledged; the test proves nothing"
    return len(acknowledged), sum(s.attempts for s in senders)


def check_all_there(node, acknowledged):
    """Nothing acknowledged is missing: exported instances are at least the acknowledged ones, and the
    index has as many as the store."""
    indexed = node.indexed(120)
    out = node.dir / "out"
    node.cairn("export", "*", str(out), "--purpose", "operations")
    exported = len(list(out.rglob("*.dcm")))
    equal(exported, indexed, "exported against indexed instances")
    # An instance may be stored whose acknowledgement was lost with the connection, never the other
    # way round.
    assert indexed >= acknowledged, f"{acknowledged} acknowledged, {indexed} there"
    equal(node.json("job", "list")["jobs"], [], "jobs that are stuck")
    print(f"        {acknowledged} acknowledged, {indexed} stored and indexed")


def kill_plugin(node, number):
    pid = node.plugin("dicom").get("pid", 0)
    if not pid:
        return
    begin = time.monotonic()
    os.kill(pid, number)
    wait_for("the plugin back", 10, lambda: node.plugin("dicom").get("pid", 0) not in (0, pid) and
             node.plugin("dicom")["state"] == "ready")
    took = time.monotonic() - begin
    slowest[0] = max(slowest[0], took)


slowest = [0.0]


def test_a_killed_connector_loses_nothing_acknowledged():
    with Node(node_settings={"restart_limit": 1000}) as node:
        node.start()
        slowest[0] = 0.0
        rng = random.Random(1)
        signals = [signal.SIGKILL, signal.SIGSEGV]
        acknowledged, attempts = store_while(
            node, lambda: kill_plugin(node, rng.choice(signals)), KILLS)
        print(f"        back after at most {slowest[0]:.2f} s; {attempts} attempts")
        equal(node.process.poll(), None, "the kernel goes on")
        check_all_there(node, acknowledged)


def test_a_killed_kernel_loses_nothing_acknowledged():
    with Node() as node:
        node.start()

        def kill():
            node.kill()
            node.start()
        acknowledged, _ = store_while(node, kill, KILLS)
        check_all_there(node, acknowledged)
        equal(node.stop(), 0, "exit status")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")


def test_no_host_outlives_its_kernel():
    with Node() as node:
        node.start()
        pids = [node.plugin(name)["pid"] for name in ("dicom", "cohort")]
        node.kill()
        wait_for("the hosts gone", 5, lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))


def test_a_host_that_begins_after_its_kernels_death_leaves():
    """It would take its new parent for the kernel, and dial for ever."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    host = subprocess.run([str(BIN / "cairn-host"), "ipc:///nowhere", "no.so", "no"], timeout=10,
                          env={**os.environ, "CAIRN_KERNEL": str(dead.pid)}, capture_output=True)
    equal(host.returncode, 1, "its exit status")
    contains(host.stderr.decode(), "the kernel is gone, leaving", "its last word")


if __name__ == "__main__":
    main(globals())
