# SPDX-License-Identifier: Apache-2.0
"""What `cairn doctor` and `cairn check` find, said so that somebody can do something about it."""

import os
import signal
import socket
import time

from harness import Node, contains, equal, main, storescu, synth, wait_for


def findings(node, *args, status=0, about=None, severity=None):
    found = node.json("doctor", *args, status=status)["findings"]
    return [f for f in found if about in (None, f["about"]) and severity in (None, f["severity"])]


def said(found):
    return "\n".join(f"{f['severity']} {f['about']}: {f['what']} | {f['why']} | {f['advice']}"
                     for f in found)


# ---- doctor ------------------------------------------------------------------------------------

def test_a_healthy_node_has_no_fault_and_its_plugins_speak():
    with Node() as node:
        node.start()
        synth(node.dir / "in", 1)
        storescu(node, node.dir / "in")
        count = node.indexed()
        text = said(findings(node))
        contains(text, f"listens on 127.0.0.1 port {node.port}", "dicom's health")
        contains(text, f"{count} instances held", "dicom's store")
        contains(text, "0 jobs of facts wait; the last facts were taken in: 20", "cohort's health")
        contains(text, "last checkpoint are intact", "the ledger")
        contains(text, "descriptors are open", "descriptors")
        equal(said(findings(node, severity="fault")), "", "faults")
        contains(node.cairn("doctor", "cohort"), "0 faults", "one plugin's")
        contains(said(findings(node, "kernel", "--full")), "the whole ledger is intact", "--full")
        node.cairn("doctor", "nobody", status=1)
        contains(node.stderr, "nothing is known of 'nobody'", "an unknown name")


def test_a_stopped_node_is_seen_as_far_as_it_lies_on_the_disk():
    with Node() as node:
        found = node.json("doctor")
        equal((found["ok"], found["running"]), (True, False), "a node that never ran")
        contains(said(found["findings"]), "warning kernel: the node has not run yet", "the warning")
        os.chmod(node.home / "keys/pseudonym.key", 0o644)
        os.chmod(node.home / "state", 0o777)
        text = said(findings(node, status=1, severity="fault"))
        contains(text, f"chmod go-rwx {node.home}/keys/pseudonym.key", "advice for the key")
        contains(text, f"chmod go-w {node.home}/state", "advice for the state")
        (node.home / "keys/pseudonym.key").unlink()
        text = said(findings(node, status=1, severity="fault"))
        contains(text, "restore it from a backup; never make a new one", "a key that is missing")


def test_a_node_that_ran_and_does_not_is_a_fault():
    with Node(plugins=("cohort",)) as node:
        node.start()
        node.stop()
        text = said(findings(node, status=1, severity="fault"))
        contains(text, "the node is not running | no image is taken", "the fault")
        contains(text, f"cairn --home {node.home} run", "what to do")


def test_a_rejected_sender_is_a_warning_that_names_it():
    with Node() as node:
        node.set("plugins/available/dicom.yaml", "peers", "[OTHER]")
        node.start()
        synth(node.dir / "in", 1)
        storescu(node, node.dir / "in", "-aet", "STRANGER", status=1)
        text = said(findings(node, about="dicom", severity="warning"))
        contains(text, "1 associations were rejected within the hour, the last from 'STRANGER'",
                 "the warning")
        contains(text, "add it to `peers`", "what to do")


def test_a_plugin_that_hangs_is_a_fault():
    with Node() as node:
        node.start()
        pid = node.plugin("cohort")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            text = said(findings(node, "cohort", status=1, severity="fault"))
        finally:
            os.kill(pid, signal.SIGCONT)
        contains(text, "has not said how it is for", "the fault")
        contains(said(findings(node, "cohort")), "jobs of facts wait", "once it goes on")


def test_crashes_changed_policies_and_errors_are_told():
    with Node() as node:
        node.start()
        os.kill(node.plugin("cohort")["pid"], signal.SIGKILL)
        wait_for("cohort again", 20, lambda: node.plugin("cohort").get("restarts") == 1 and
                 node.plugin("cohort")["state"] == "ready")
        with open(node.home / "policies/settings.yaml", "a") as settings:
            settings.write("# changed\n")
        with open(node.home / "log/dicom.log", "a") as log:
            log.write(time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()) + " error dicom: x\n")
            log.write("2020-01-01T00:00:00.000Z error dicom: long ago\n")
        text = said(findings(node, severity="warning"))
        contains(text, "crashed 1 time; the last time:", "the crash")
        contains(text, "are not those that decide", "the policies")
        contains(text, "its log has 1 error within the last hour", "the log")


def test_a_plugin_that_was_given_up_is_a_fault():
    with Node() as node:
        node.set("node.yaml", "restart_limit", 1)
        node.start()
        os.kill(node.plugin("cohort")["pid"], signal.SIGKILL)
        wait_for("given up", 20, lambda: node.plugin("cohort").get("state") == "failed")
        text = said(findings(node, status=1, about="cohort", severity="fault"))
        contains(text, "given up:", "the fault")
        contains(text, "cairn plugin restart cohort", "what to do")
        node.cairn("status", status=1)


# ---- check -------------------------------------------------------------------------------------

def checks(node, status):
    return "\n".join(f"{c['what']} {c['ok']} {c['detail']}"
                     for c in node.json("check", status=status)["checks"])


def test_check_says_that_a_port_is_in_use_and_not_of_the_node_itself():
    with Node() as node:
        with socket.socket() as other:
            other.bind(("127.0.0.1", node.port))
            other.listen()
            contains(checks(node, 1),
                     f"plugin dicom False port {node.port} of 127.0.0.1 is in use by another program",
                     "another program's port")
            node.cairn("check", "--quick")
        checks(node, 0)
        equal(sorted(p.name for p in (node.home / "state").iterdir()), ["kernel"],
              "state after a check")
        node.start()
        checks(node, 0)  # its own


def test_check_says_what_would_not_work_on_this_machine():
    with Node() as node:
        dicom, cohort = "plugins/available/dicom.yaml", "plugins/available/cohort.yaml"
        node.set(dicom, "peers", "['PACS@nowhere', 'A TITLE THAT IS TOO LONG', '*', 'CT1@10.0.0.1']")
        text = checks(node, 1)
        contains(text, "'PACS@nowhere' names no IP address", "no address")
        contains(text, "more than 16 characters", "a long title")
        contains(text, "'*' matches nobody", "a star alone")
        assert "CT1" not in text, text
        node.set(dicom, "peers", "[]")
        node.set(dicom, "address", "203.0.113.7")
        contains(checks(node, 1), "203.0.113.7 is no address of this machine", "the address")
        node.set(dicom, "address", "0.0.0.0")
        contains(checks(node, 0), "`peers` is empty: only this machine may send", "the warning")
        (node.home / "state/cohort/index").mkdir(parents=True)
        with open(node.home / "state/cohort/index/data.mdb", "wb") as data:
            data.truncate(20 << 20)
        node.set(cohort, "map_size_mb", 16)
        contains(checks(node, 1), "the index is 20 MiB already, and map_size_mb allows 16",
                 "an index that is larger than allowed")


main(globals())
