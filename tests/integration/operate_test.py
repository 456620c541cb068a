# SPDX-License-Identifier: Apache-2.0
"""What an operator does at three in the morning: a plugin that does not start, hangs, crashes in a
loop; dead letters; a status that is asked for all the time."""

import os
import pathlib
import signal
import socket
import time

from control import Control
from harness import BIN, Node, contains, equal, main, wait_for


def records(node, **wanted):
    found = node.json("ledger", "tail", "--records", "100000")["records"]
    return [r for r in found if all(r[k] == v for k, v in wanted.items())]


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


# ---- starting ----------------------------------------------------------------------------------

def test_restart_waits_until_the_plugin_is_ready():
    with Node() as node:
        node.start()
        pid = node.plugin("dicom")["pid"]
        contains(node.cairn("plugin", "restart", "dicom"), "restarted dicom, it is ready", "its word")
        now = node.plugin("dicom")
        equal(now["state"], "ready", "its state as soon as the command ended")
        assert now["pid"] != pid, "the same process"
        equal(now["restarts"], 0, "restarts that nobody asked for")


def test_a_plugin_that_cannot_start_says_why_in_its_own_words():
    with Node() as node:
        node.start()
        settings = node.home / "plugins/available/dicom.yaml"
        good = settings.read_text()
        node.set("plugins/available/dicom.yaml", "address", "localhost")
        node.cairn("plugin", "restart", "dicom", status=1)
        contains(node.stderr, "failed to start: 'localhost' is no IP address", "the reason")
        contains(node.stderr, "cairn plugin why dicom", "what to do")
        why = node.json("plugin", "why", "dicom")
        equal(why["last_failures"][0]["what"], "failed to start", "the kind of failure")
        assert wait_for("on record", 10, lambda: records(
            node, subject="dicom", verdict="failed to start")), "no record"
        equal(records(node, subject="dicom", verdict="crashed"), [], "records of a crash")
        settings.write_text(good)
        node.cairn("plugin", "restart", "dicom")
        dicom = node.plugin("dicom")
        equal(dicom["last_error"], "", "the last error of a plugin that is well")
        contains(dicom["earlier_error"], "no IP address", "the earlier error")
        contains(node.cairn("status"), "(earlier) dicom", "the table")


def test_enable_waits_and_fails_with_the_reason():
    with Node(plugins=("cohort",)) as node:
        node.start()
        node.set("plugins/available/dicom.yaml", "address", "localhost")
        node.cairn("plugin", "enable", "dicom", status=1)
        contains(node.stderr, "'localhost' is no IP address", "the reason")


def test_on_failure_stop_ends_a_node_whose_plugin_cannot_start():
    with Node() as node:
        node.set("plugins/available/dicom.yaml", "address", "localhost")
        node.set("plugins/available/dicom.yaml", "on_failure", "stop")
        node.start(wait=False)
        equal(node.process.wait(60), 1, "the exit status")
        node.process = None
        log = (node.dir / "node.log").read_text()
        contains(log, "'dicom' is down and has `on_failure: stop`: stopping the node", "the log")
        contains(log, "cohort 0.1.0 stopped in order", "the log")


def test_on_failure_open_is_not_for_a_plugin_that_answers():
    with Node() as node:
        node.set("plugins/available/cohort.yaml", "on_failure", "open")
        text = node.cairn("check", status=1)
        contains(text, "'on_failure' takes closed, stop, not 'open'", "the check")


# ---- hanging, crashing -------------------------------------------------------------------------

def test_a_hanging_plugin_is_started_again_and_its_callers_told():
    with Node(node_settings={"heartbeat_ms": 100, "heartbeat_limit_ms": 600}) as node:
        node.start()
        pid = node.plugin("cohort")["pid"]
        os.kill(pid, signal.SIGSTOP)
        count = node.count("*", level="instances", status=1)
        contains(count["error"]["text"], "plugin 'cohort' ended while it worked", "the answer")
        wait_for("back", 20, lambda: node.plugin("cohort").get("state") == "ready")
        failure = node.json("plugin", "why", "cohort")["last_failures"][0]
        equal(failure["what"], "crashed", "the failure")
        contains(failure["reason"], "cohort 0.1.0 gave no sign of life for 600 ms, killed while it "
                 "worked on cohort.count (request ", "its reason")


def test_a_crash_loop_opens_the_breaker_and_calls_fail_with_the_reason():
    with Node(node_settings={"restart_limit": 2}) as node:
        node.start()
        for _ in range(2):
            pid = wait_for("a process", 20, lambda: node.plugin("cohort")["state"] == "ready" and
                           node.plugin("cohort")["pid"])
            os.kill(pid, signal.SIGKILL)
            wait_for("gone", 20, lambda: node.plugin("cohort")["pid"] != pid)
        wait_for("given up", 20, lambda: node.plugin("cohort")["state"] == "failed")
        answer = node.count("*", level="instances", status=1)
        contains(answer["error"]["text"], "was given up (cairn plugin why cohort)", "the answer")
        contains(answer["error"]["text"], "was killed by signal 9", "the answer")
        why = node.json("plugin", "why", "cohort")
        equal(why["breaker"]["open"], True, "the breaker")
        equal(len(why["last_failures"]), 2, "failures")
        contains(why["to_do"], "cairn plugin restart cohort", "the advice")
        contains(node.cairn("plugin", "why", "cohort"), "breaker    open", "the page for people")
        contains(node.cairn("plugin", "logs", "cohort"), "cohort 0.1.0 was killed by signal 9",
                 "its log")
        (node.home / "log/dicom.log").write_text("")
        contains(node.cairn("plugin", "logs", "dicom"), "the log is empty", "an empty log")
        node.cairn("plugin", "why", "cohrot", status=1)
        contains(node.stderr, "did you mean 'cohort'?", "a plugin that is none")
        node.cairn("plugin", "restart", "cohort")
        equal(node.json("plugin", "why", "cohort")["breaker"]["open"], False, "the breaker")


# ---- masks, log levels, logs -------------------------------------------------------------------

def test_a_masked_plugin_cannot_be_enabled():
    with Node() as node:
        node.start()
        node.cairn("plugin", "mask", "cohort", "--reason", "see ticket 17")
        equal(node.plugin("cohort"), {}, "what the node runs")
        node.cairn("plugin", "enable", "cohort", status=1)
        contains(node.stderr, "is masked: it cannot be enabled until `cairn plugin unmask cohort`",
                 "the refusal")
        why = node.json("plugin", "why", "cohort")
        equal(why["mask_reason"], "see ticket 17", "the reason")
        # A link made by hand does not help either.
        (node.home / "plugins/enabled/cohort.yaml").symlink_to("../available/cohort.yaml")
        contains(node.cairn("check", status=1), "is masked", "the check")
        (node.home / "plugins/enabled/cohort.yaml").unlink()
        node.cairn("plugin", "unmask", "cohort")
        node.cairn("plugin", "enable", "cohort")
        equal(node.plugin("cohort")["state"], "ready", "its state")


def test_log_level_changes_at_run_time_and_outlives_a_crash():
    with Node() as node:
        node.start()
        node.cairn("plugin", "log-level", "dicom", "loud", status=2)
        node.cairn("plugin", "log-level", "dicom", "error")
        equal(node.json("plugin", "why", "dicom")["log_level"], "error", "the level")
        log = node.home / "log/dicom.log"
        size = log.stat().st_size if log.exists() else 0
        os.kill(node.plugin("dicom")["pid"], signal.SIGTERM)
        node.cairn("plugin", "restart", "dicom")
        equal(node.json("plugin", "why", "dicom")["log_level"], "error", "the level")
        assert log.stat().st_size >= size, "the log"


# ---- init, status, jobs ------------------------------------------------------------------------

def test_an_init_that_fails_leaves_nothing_behind():
    with Node(plugins=()) as node:
        broken = node.dir / "broken"
        broken.mkdir()
        (broken / "bad.so").write_bytes(b"no shared object")
        home = node.dir / "half"
        node.cairn("init", str(home), "--plugin-dir", str(broken), home=False, status=1)
        assert not home.exists(), "the home of an init that failed"
        home.mkdir()
        (home / "keys").mkdir()
        node.cairn("init", str(home), home=False, status=1)
        equal(sorted(p.name for p in home.iterdir()), ["keys"], "a folder that was in use")
        (home / "keys").rmdir()
        text = node.cairn("init", str(home), home=False)
        contains(text, "plugin enable cohort dicom", "the line that enables what is there")
        equal([p.name for p in home.iterdir() if p.name.startswith(".")], [], "what is left over")
        keys = [line.lstrip("#").split(":")[0] for line in
                (home / "node.yaml").read_text().splitlines()
                if line[:1] != "#" or line[1:2] not in (" ", "")]
        keys = [k for k in keys if k]
        equal(len(keys), len(set(keys)), f"every key once: {keys}")


def test_status_asked_all_the_time_costs_the_kernel_little():
    with Node() as node, Control(node.start()) as control:
        wait_for("figures", 10, lambda: node.plugin("dicom").get("memory_kb"))
        before, begin = cpu_ticks(node.process.pid), time.monotonic()
        for _ in range(300):
            control.call("kernel.status")
        used = (cpu_ticks(node.process.pid) - before) / os.sysconf("SC_CLK_TCK")
        took = time.monotonic() - begin
        print(f"        300 times: {took:.2f} s, {used * 1000 / 300:.2f} ms of the kernel's each")
        assert used < 300 * 0.005, f"{used:.2f} s of the kernel's time for 300 questions"


def test_only_dead_letters_can_be_revived_and_only_with_a_yes():
    with Node() as node:
        node.start()
        node.cairn("job", "retry", "17", status=1)
        contains(node.stderr, "say --yes", "without a terminal")
        node.cairn("job", "retry", "17", "--yes", status=1)
        contains(node.stderr, "there is no such dead letter", "an unknown job")
        node.cairn("job", "drop", "--queue", "facts", "--yes", status=2)
        contains(node.stderr, "--queue needs --dead", "without --dead")


def test_a_port_in_use_at_boot_is_waited_for():
    with Node(plugins=("dicom",), node_settings={"restart_limit": 1}) as node:
        with socket.socket() as other:
            other.bind(("127.0.0.1", node.port))
            other.listen()
            node.start(wait=False)
            log = node.dir / "node.log"
            wait_for("two tries", 30, lambda: log.read_text().count("it is tried again in") >= 2)
            equal(node.plugin("dicom")["state"], "waiting", "no breaker opened")
            contains(log.read_text(), "is in use by another program", "why")
        wait_for("ready, without help", 30, lambda: node.plugin("dicom")["state"] == "ready")


if __name__ == "__main__":
    main(globals())
