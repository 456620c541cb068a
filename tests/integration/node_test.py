# SPDX-License-Identifier: Apache-2.0
"""The kernel against plugins that misbehave and clients of the control socket that do."""

import os
import signal
import struct
import time

from control import (CALL, CANCEL, ECANCELLED, EDENIED, EFORBIDDEN, EINTERNAL, EINVAL, ELIMIT,
                     ETIMEOUT, EUNAVAILABLE, EVENT, JOB_DONE, JOB_PUT, ME, PROGRESS, REPLY, Control,
                     envelope, number, text, varint)
from harness import BIN, RESEARCHER, Node, contains, equal, main, need, synth, wait_for

PLUGINS = BIN.parent / "lib/cairn/test-plugins"
POLICY = """rule {
  name = "rogue",
  subjects = { "rogue.*" },
  decide = function(q)
    local reason = "for " .. q.principal.role .. " by " .. q.principal.asked_by
    if q.purpose == "plain" then
      return permit(reason)
    end
    if q.purpose == "cells" then
      return permit { reason = reason, obligations = { min_cell = 10 } }
    end
  end,
}
"""
CALLS_MAX = 4096


def check_logs(node):
    """No sanitizer had anything to say in any process of a node."""
    for log in [node.dir / "node.log", *node.home.glob("log/*.log")]:
        if "Sanitizer" in log.read_text(errors="replace"):
            raise AssertionError(f"{log.name}:\n{log.read_text(errors='replace')}")


class Rogues(Node):
    """A node with the two rogue plugins, which a policy lets be called."""

    def __init__(self, plugins=("rogue", "rogue2")):
        need(PLUGINS / "rogue.so")
        super().__init__(plugins=plugins, node_settings={"plugin_dir": str(PLUGINS)})
        (self.home / "policies/90-rogue.lua").write_text(POLICY)
        self.start()

    def stop(self, seconds=60):
        """Orderly, and no sanitizer had anything to say in any process."""
        status = super().stop(seconds)
        check_logs(self)
        return status

    def show(self, name="rogue"):
        with Control(self) as control:
            body = control.call(f"{name}.show").body.decode()
        return dict(part.split("=") for part in body.split())

    def records(self, **wanted):
        found = self.json("ledger", "tail", "--records", "100000")["records"]
        return [r for r in found if all(r[k] == v for k, v in wanted.items())]

    def refusals(self, count):
        """The records of what plugins may not do, once there are so many."""
        def found():
            records = self.records(kind="plugin", verdict="refused")
            return records if len(records) >= count else None
        return wait_for(f"{count} refusals on disk", 10, found)

    def outcome(self, answer):
        """The outcome's record, which the answer did not wait for."""
        return wait_for("the outcome on disk", 10, lambda: self.records(
            kind="outcome", request_id=answer.request_id))[0]

    def queue(self, name):
        queues = self.json("status")["queues"]
        return next(q for q in queues if q["queue"] == name)


def frame(data):
    """An envelope as a plugin's connection carries it."""
    return b"\x01" + struct.pack(">Q", len(data)) + data


def forge(control, name, *envelopes):
    equal(control.call(f"{name}.forge", b"".join(map(frame, envelopes))).code, 0, "forging")


# ---- what a plugin may not do ------------------------------------------------------------------

def test_what_was_not_granted_is_refused_and_recorded():
    with Rogues() as node, Control(node) as control:
        answer = control.call("rogue.call", b"cohort.count")
        equal(answer.code, EFORBIDDEN, "a call without the capability")
        contains(answer.text, "plugin 'rogue' has no capability call:cohort.count", "its reason")
        answer = control.call("rogue.call", b"kernel.status")
        equal(answer.code, EDENIED, "a plugin that calls kernel.status")
        answer = control.call("rogue.put", b"facts 1 1")
        equal(answer.code, EFORBIDDEN, "a put without the capability")
        control.call("rogue.publish", b"imaging.stored")
        control.call("rogue.publish", b"rogue.tick")
        wait_for("the event granted", 5, lambda: node.show("rogue2")["events"] == "1")
        reasons = [r["reason"] for r in node.refusals(3)]
        equal(reasons, ["plugin 'rogue' has no capability call:cohort.count",
                        "plugin 'rogue' has no capability put:facts",
                        "plugin 'rogue' has no capability publish:imaging.stored"], "records")
        log = (node.dir / "node.log").read_text()
        contains(log, "has no capability publish:imaging.stored; refused", "the node's log")


def test_a_flood_of_refusals_fills_neither_log_nor_ledger():
    with Rogues() as node, Control(node) as control:
        for _ in range(10):
            forge(control, "rogue", *[envelope(EVENT, subject="not.granted", body=b"x")] * 1000)
        wait_for("all counted", 30, lambda: node.plugin("rogue")["refused"] == 10000)
        equal(len(node.refusals(10)), 10, "records")
        assert (node.dir / "node.log").stat().st_size < 20000, "the log grew"


def test_kinds_that_are_not_a_plugins_are_refused():
    with Rogues() as node, Control(node) as control:
        pid = node.plugin("rogue")["pid"]
        forge(control, "rogue", envelope(14), envelope(99), envelope(0), envelope(2))
        wait_for("refused", 5, lambda: node.plugin("rogue")["refused"] == 4)
        equal(node.plugin("rogue")["pid"], pid, "its process")


def test_bytes_that_are_no_envelope_cost_the_plugin_its_process():
    with Rogues() as node, Control(node) as control:
        pid = node.plugin("rogue")["pid"]
        control.start("rogue.forge", frame(b"\xff" * 50))
        wait_for("a new process", 10, lambda: node.plugin("rogue").get("pid") not in (0, pid))
        wait_for("ready again", 10, lambda: node.plugin("rogue")["state"] == "ready")


# ---- obligations -------------------------------------------------------------------------------

def test_an_answer_is_withheld_unless_every_obligation_is_reported():
    with Rogues() as node, Control(node) as control:
        equal(control.call("rogue.guarded", b"honest", purpose="cells").body, b"secret", "honest")
        equal(control.call("rogue.guarded", b"lie", purpose="plain").body, b"secret", "no obligation")
        for how in ("lie", "weak", "other"):
            answer = control.call("rogue.guarded", how.encode(), purpose="cells")
            equal((answer.code, answer.body), (EINTERNAL, b""), how)
            contains(answer.text, "did not say that it fulfilled the obligation 'min_cell'", how)
            outcome = node.outcome(answer)
            equal(outcome["verdict"], "failed", f"the outcome of {how}")
            contains(outcome["reason"], "answer withheld", f"the outcome of {how}")
        answer = control.call("rogue.guarded", b"honest", purpose="other")
        equal(answer.code, EDENIED, "another purpose")
        equal(node.records(kind="outcome", request_id=answer.request_id), [], "outcome of a denial")


def test_progress_does_not_slip_past_an_obligation():
    with Rogues() as node, Control(node) as control:
        control.start("rogue.guarded", b"leak", purpose="plain")
        equal(control.receive().body, b"secret", "progress without an obligation")
        id = control.start("rogue.guarded", b"leak", purpose="cells", timeout_ms=500)
        answer = control.receive()
        equal((answer.id, answer.kind, answer.code), (id, REPLY, ETIMEOUT), "what comes first")


def test_only_a_plain_answer_travels_on():
    """An answer's other parts are not the plugin's to say; a failure carries no body."""
    with Rogues() as node, Control(node) as control:
        id = control.start("rogue.silent")
        with Control(node) as other: # the held call's slot is the first
            other.call("rogue.forge", b"".join(frame(envelope(
                REPLY, generation * CALLS_MAX, "spoof", b"secret", principal="local:root",
                code=EINVAL, more=text(13, "a rule") + text(14, "a reason") +
                text(15, "another request"))) for generation in range(1, 40)))
        answer = control.receive()
        equal((answer.id, answer.code, answer.body), (id, EINVAL, b""), "a failure")
        equal((answer.rule, answer.reason), ("", ""), "rule and reason")
        assert answer.request_id != "another request", "the request's name"
        assert 5 not in answer.fields and 3 not in answer.fields, "context and subject"


def test_a_plugins_words_are_cleaned_and_cut_before_they_are_recorded():
    with Rogues() as node, Control(node) as control:
        answer = control.call("rogue.guarded", b"garbage", purpose="plain")
        equal(answer.text, "?[31m? words", "the text")
        equal(node.outcome(answer)["reason"], "?[31m? words", "the outcome's reason")
        answer = control.call("rogue.guarded", b"names", purpose="cells")
        equal(answer.code, 0, "an answer with names nobody knows")
        outcome = node.outcome(answer)
        assert len(outcome["fields"]) <= 16, outcome
        forge_long = text(9, b"t" * 80000)
        id = control.start("rogue.guarded", b"hold", purpose="plain")
        with Control(node) as other:
            other.call("rogue.forge", b"".join(frame(envelope(
                REPLY, generation * CALLS_MAX + slot, code=EINVAL, more=forge_long))
                for generation in range(1, 30) for slot in range(4)))
        answer = control.receive()
        equal((answer.id, answer.code), (id, EINVAL), "a failure with a long text")
        assert len(answer.text) < 600, len(answer.text)
        equal(node.outcome(answer)["verdict"], "failed", "its outcome")


# ---- ends of calls -----------------------------------------------------------------------------

def test_a_deadline_ends_the_call_and_cancels_it_at_the_handler():
    with Rogues() as node, Control(node) as control:
        begin = time.monotonic()
        answer = control.call("rogue.silent", timeout_ms=300)
        took = time.monotonic() - begin
        equal(answer.code, ETIMEOUT, "the code")
        assert 0.29 < took < 3, f"{took:.2f} s"
        wait_for("cancelled", 5, lambda: node.show()["cancelled"] == "1")
        equal(node.show()["held"], "0", "held by the handler")


def test_late_answers_are_dropped():
    with Rogues() as node, Control(node) as control:
        control.call("rogue.late")
        equal(control.call("rogue.silent", timeout_ms=100).code, ETIMEOUT, "the code")
        wait_for("answered late", 5, lambda: node.show()["cancelled"] == "1")
        assert control.silent_for(0.3), "something came after the end"


def test_the_caller_can_cancel():
    with Rogues() as node, Control(node) as control:
        id = control.start("rogue.silent")
        other = control.start("rogue.silent")
        wait_for("held", 5, lambda: node.show()["held"] == "2")
        control.send(envelope(CANCEL, id))
        answer = control.receive()
        equal((answer.id, answer.code), (id, ECANCELLED), "the answer")
        wait_for("cancelled", 5, lambda: node.show()["held"] == "1")
        control.send(envelope(CANCEL, 4711))
        assert control.silent_for(0.2), f"an answer, though {other} was not cancelled"


def test_a_closed_connection_cancels_what_it_waited_for():
    with Rogues() as node:
        with Control(node) as stays, Control(node) as leaves:
            for _ in range(20):
                leaves.start("rogue.silent")
            stays.start("rogue.silent")
            wait_for("held", 5, lambda: node.show()["held"] == "21")
            leaves.close()
            wait_for("cancelled", 5, lambda: node.show()["held"] == "1")
            equal(node.json("status")["node"]["calls"], 1, "calls under way")


def test_a_plugin_that_ends_fails_its_calls_and_comes_back():
    with Rogues() as node, Control(node) as control:
        waiting = {control.start("rogue.silent") for _ in range(5)}
        wait_for("held", 5, lambda: node.show()["held"] == "5")
        equal(control.call("rogue.die").code, EUNAVAILABLE, "the call that killed it")
        wait_for("ready again", 10, lambda: node.plugin("rogue").get("state") == "ready" and
                 node.plugin("rogue")["restarts"] == 1)
        equal(control.call("rogue.show").code, 0, "the next call")
        equal(node.json("status")["node"]["calls"], 0, "calls under way")
        with Control(node) as other:
            for _ in range(3):
                other.start("rogue.silent")
            wait_for("held", 5, lambda: node.show()["held"] == "3")
            os.kill(node.plugin("rogue")["pid"], signal.SIGABRT)
            for _ in range(3):
                answer = other.receive()
                equal(answer.code, EUNAVAILABLE, "a call that was under way")
                contains(answer.text, "plugin 'rogue' ended while it worked", "its reason")
        assert waiting


def test_only_the_handler_answers_a_call():
    ids = [generation * CALLS_MAX + slot for generation in range(1, 30) for slot in range(4)]
    forged = [envelope(kind, id, body=b"forged") for id in ids for kind in (PROGRESS, REPLY)]
    with Rogues() as node, Control(node) as control, Control(node) as other:
        id = control.start("rogue.silent")
        wait_for("held", 5, lambda: node.show()["held"] == "1")
        forge(other, "rogue2", *forged)
        node.show("rogue2")
        assert control.silent_for(0.3), "another plugin's answer was taken"
        other.start("rogue.forge", b"".join(map(frame, forged)))
        answer = control.receive()
        equal((answer.id, answer.kind, answer.body), (id, PROGRESS, b"forged"),
              "the handler's own answer (or this test proves nothing)")


def test_a_call_beyond_the_maximum_is_refused():
    with Rogues() as node, Control(node) as control:
        for _ in range(CALLS_MAX - 1):
            control.start("rogue.silent")
        wait_for("all held", 30, lambda: node.show()["held"] == str(CALLS_MAX - 1))
        control.start("rogue.silent")
        with Control(node) as other:
            answer = other.call("rogue.show")
            equal(answer.code, ELIMIT, "a call more")
            contains(answer.text, "4,096 calls are under way", "its reason")
            equal(other.call("kernel.status").code, 0, "the kernel's own service")
        control.close()
        wait_for("room", 10, lambda: node.show()["held"] == "0")


def test_one_plugin_does_not_take_all_calls():
    with Rogues() as node, Control(node) as control:
        forge(control, "rogue", *[envelope(CALL, 100000 + i, "rogue2.silent", timeout_ms=60000)
                                  for i in range(2000)])
        wait_for("calls", 10, lambda: node.json("status")["node"]["calls"] == 1024)
        equal(control.call("rogue2.show").code, 0, "another caller's")


# ---- jobs --------------------------------------------------------------------------------------

def test_jobs_that_are_not_held_cannot_be_acknowledged():
    with Rogues() as node, Control(node) as control:
        equal(control.call("rogue.put", b"rogue 20 10").code, 0, "put")
        wait_for("held", 5, lambda: node.show()["jobs"] == "20")
        acks = [envelope(JOB_DONE, job_ids=range(1, 200)), envelope(16, job_ids=range(1, 200)),
                envelope(JOB_DONE, job_ids=[2 ** 63] * 1000000)]
        forge(control, "rogue2", *acks)
        node.show("rogue2")
        equal((node.queue("rogue")["taken"], node.queue("rogue")["done"]), (20, 0), "taken, done")
        forge(control, "rogue", envelope(JOB_DONE, job_ids=range(1, 200)))
        wait_for("done by their holder", 5, lambda: node.queue("rogue")["done"] == 20)


def test_the_window_of_jobs_is_kept():
    with Rogues() as node, Control(node) as control:
        equal(control.call("rogue.put", b"rogue 600 10").code, 0, "put")
        wait_for("held", 10, lambda: node.show()["jobs"] == "256")
        equal(node.plugin("rogue")["jobs_taken"], 256, "taken")
        equal(control.call("rogue2.put", b"rogue2 12 1000000").code, 0, "put of large ones")
        equal(control.call("rogue2.put", b"rogue2 12 1000000").code, 0, "put of large ones")
        equal(control.call("rogue2.put", b"rogue2 12 1000000").code, 0, "put of large ones")
        wait_for("held", 10, lambda: int(node.show("rogue2")["jobs"]) >= 17)
        taken = node.plugin("rogue2")["jobs_taken"]
        assert 17 <= taken <= 24, f"{taken} jobs of 1 MB are out"
        pid = node.plugin("rogue2")["pid"]
        control.call("rogue2.die")
        wait_for("handed out again", 20, lambda: node.plugin("rogue2").get("pid") not in (0, pid) and
                 node.plugin("rogue2")["state"] == "ready" and int(node.show("rogue2")["jobs"]) >= 1)
        equal(node.queue("rogue2")["dead"], 0, "dead letters")


def test_hostile_puts_are_refused_whole():
    def job(queue, key=""):
        return text(11, text(2, queue) + text(3, key) + text(4, b"x"))
    with Rogues() as node, Control(node) as control:
        forge(control, "rogue", envelope(JOB_PUT, 7), envelope(JOB_PUT, 8, more=job("rogue") * 5000),
              envelope(JOB_PUT, 9, more=job("rogue") + job("facts")),
              envelope(JOB_PUT, 10, more=job("rogue", "k" * 5000)),
              envelope(JOB_PUT, 11, more=job("rogue" * 1000)), envelope(JOB_PUT, 12, more=job("")))
        node.show()
        equal([q for q in node.json("status")["queues"] if q["ready"] + q["taken"]], [], "queues")


# ---- stopping, restarting ----------------------------------------------------------------------

def test_an_orderly_stop_with_everything_under_way():
    """Calls at the handler, calls that wait for their record, puts that are not on disk yet."""
    with Rogues() as node, Control(node) as control:
        for _ in range(50):
            control.start("rogue.silent")
        control.call("rogue.put", b"rogue 300 100")
        forge(control, "rogue", *[envelope(CALL, 5000 + i, "rogue2.silent", timeout_ms=60000)
                                  for i in range(50)])
        puts = envelope(JOB_PUT, 77, more=text(11, text(2, "rogue") + text(4, b"x" * 1000)) * 200)
        for _ in range(30):
            control.start("rogue.guarded", b"hold", purpose="plain")
        control.start("rogue.forge", frame(puts) * 40)
        equal(node.stop(), 0, "exit status")


def test_an_orderly_stop_of_the_hospitals_plugins():
    with Node() as node:
        node.start()
        synth(node.dir / "pacs", 3, matrix=32)
        node.cairn("import", str(node.dir / "pacs"))
        node.indexed()
        node.cairn("plugin", "restart", "cohort")
        node.cairn("plugin", "disable", "dicom")
        equal(node.stop(), 0, "exit status")
        check_logs(node)


def test_a_stop_while_clients_keep_asking():
    with Rogues() as node:
        controls = [Control(node) for _ in range(20)]
        for control in controls:
            for _ in range(50):
                control.start("rogue.guarded", b"honest", purpose="cells")
        equal(node.stop(), 0, "exit status")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")


def test_disabled_and_enabled_again_at_once():
    with Rogues() as node, Control(node) as control:
        pid = node.plugin("rogue")["pid"]
        control.call("rogue.slow")
        node.cairn("plugin", "disable", "rogue")
        equal(node.plugin("rogue"), {}, "a disabled plugin in the status")
        answer = control.call("rogue.show")
        contains(answer.text, "nobody here serves 'rogue.show'", "a call of a disabled plugin")
        node.cairn("plugin", "enable", "rogue")
        wait_for("ready", 15, lambda: node.plugin("rogue").get("state") == "ready")
        assert node.plugin("rogue")["pid"] != pid, "the old process"
        equal(control.call("rogue.show").code, 0, "a call")


def test_a_restart_while_it_stops():
    with Rogues() as node, Control(node) as control:
        control.call("rogue.slow")
        waiting = control.start("rogue.silent")
        for _ in range(3):
            node.cairn("plugin", "restart", "rogue")
        answer = control.receive()
        equal((answer.id, answer.code < 0), (waiting, True), "the call under way")
        wait_for("ready", 15, lambda: node.plugin("rogue").get("state") == "ready")
        node.cairn("plugin", "restart", "rogue2")
        equal(node.stop(), 0, "exit status")


# ---- requests ----------------------------------------------------------------------------------

def nested(levels):
    """A CountRequest whose expression is that deep."""
    heads, length = [], 0
    for _ in range(levels):
        head = b"\x12" + varint(length)
        heads.append(head)
        length += len(head)
    inner = b"".join(reversed(heads))
    return b"\x0a" + varint(len(inner)) + inner


def test_a_request_that_nests_without_end_is_refused():
    with Rogues() as node, Control(node) as control:
        for levels in (200, 5000, 1000000):
            answer = control.call("rogue.typed", nested(levels), purpose="plain")
            equal(answer.code, ELIMIT, f"{levels} levels")
            contains(answer.text, "nests deeper than 100 levels", f"{levels} levels")
        answer = control.call("rogue.typed", b"\x0a\xff\xff", purpose="plain")
        equal(answer.code, EINVAL, "a malformed request")
        contains(answer.text, "is no cairn.CountRequest", "a malformed request")
        answer = control.call("rogue.typed", b"\x0a" + varint(8000000) + b"\x12\x00" * 4000000,
                              purpose="plain")
        equal(answer.code, EINVAL, "a request that unfolds to gigabytes")
        control.start("rogue.typed", nested(50), purpose="plain", timeout_ms=200)
        assert control.receive().code != ELIMIT, "50 levels"


def test_words_of_a_request_are_short_and_readable():
    bad = ["x" * 300, "a\nb", "\x1b[2J", b"\xff\xfe"]
    with Rogues() as node, Control(node) as control:
        for word in bad:
            for part in ("principal", "purpose", "permit"):
                answer = control.call("rogue.guarded", b"honest", **{"purpose": "plain", part: word})
                equal(answer.code, EINVAL, f"{part} {word!r}")
            equal(control.call(word).code, EINVAL, f"subject {word!r}")
        equal(node.records(kind="decision"), [], "decisions")


def test_what_a_caller_adds_to_its_call_goes_nowhere():
    """Obligations, jobs and fulfilments in a CALL are neither kept nor passed on."""
    extra = text(6, text(1, "min_cell") + number(2, 1)) * 50 + text(7, text(1, "min_cell")) * 50
    extra += text(11, text(2, "rogue")) * 50
    with Rogues() as node, Control(node) as control:
        control.send(envelope(CALL, 1, "rogue.guarded", b"lie", purpose="plain", more=extra))
        equal(control.receive().body, b"secret", "no obligation but the policy's")
        control.send(envelope(CALL, 2, "rogue.guarded", b"lie", purpose="cells", more=extra))
        equal(control.receive().code, EINTERNAL, "the policy's obligation")


# ---- who asks ----------------------------------------------------------------------------------

def test_the_role_is_the_settings_and_who_asked_is_recorded():
    with Rogues() as node, Control(node) as control:
        def ask(principal):
            return control.call("rogue.guarded", b"lie", purpose="plain", principal=principal)
        equal(ask("").reason, "for operator by ", "in one's own name")
        equal(ask(ME).reason, "for operator by ", "in one's own name, said")
        equal(ask(RESEARCHER).reason, f"for researcher by {ME}", "as somebody known")
        equal(ask("nobody@example.org").reason, f"for  by {ME}", "as somebody unknown")
        equal(ask("plugin:rogue").reason, f"for  by {ME}", "as a plugin")
        record = node.records(kind="decision", principal=RESEARCHER)[0]
        equal(record["fields"], {"asked_by": ME}, "the decision's fields")
        answer = control.call("rogue.guarded", b"lie", purpose="plain", permit="permit-17")
        record = node.records(kind="decision", request_id=answer.request_id)[0]
        equal(record["fields"], {"permit": "permit-17"}, "the permit it rests on")
        equal(control.call("rogue.show").body.decode().split("principal=")[1], ME, "at the handler")
        with_as = control.call("rogue.show", principal=RESEARCHER).body.decode()
        equal(with_as.split("principal=")[1], RESEARCHER, "at the handler")


def test_the_kernels_services_are_for_the_operator_in_their_own_name():
    with Rogues() as node, Control(node) as control:
        for subject in ("kernel.status", "kernel.jobs", "kernel.rescan", "kernel.plugin.restart"):
            answer = control.call(subject, b"{}", principal=RESEARCHER)
            equal(answer.code, EDENIED, subject)
            contains(answer.text, "for the local operator", subject)
        answer = control.call("pseudonym.patient", b"x")
        contains(answer.text, "is for plugins only", "pseudonym.patient")
        for body in (b"[]", b"{", b"\xff", b"[" * 100000):
            equal(control.call("kernel.status", body).code, EINVAL, f"a body {body[:9]!r}")


# ---- the control socket ------------------------------------------------------------------------

def test_hostile_frames_close_their_connection_only():
    bad = {
        "a giant length": struct.pack(">I", 0xffffffff) + bytes(100),
        "a byte more than the maximum": struct.pack(">I", (16 << 20) + 1),
        "garbage": struct.pack(">I", 50) + b"\xff" * 50,
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "a group": struct.pack(">I", 2) + b"\x13\x14",
        "too many elements": struct.pack(">I", 12000000) + b"\x5a\x00" * 6000000,
    }
    with Rogues() as node, Control(node) as good:
        good.start("rogue.silent")
        for name, data in bad.items():
            with Control(node, timeout=20) as control:
                try:
                    control.socket.sendall(data)
                except OSError:
                    pass
                assert control.is_closed(), f"{name}: the connection stays"
        for kind in (0, 1, 2, 7, 9, 12, 13, 99):
            good.send(envelope(kind, 1, "rogue.silent", b"x"))
        good.send(b"")
        equal(good.call("rogue.show").code, 0, "the good connection")


def test_a_frame_in_drops_is_answered():
    with Rogues() as node, Control(node) as control, Control(node) as other:
        data = envelope(CALL, 1, "rogue.show")
        for byte in struct.pack(">I", len(data)) + data:
            control.socket.sendall(bytes([byte]))
            equal(other.call("kernel.status").code, 0, "another client meanwhile")
        equal(control.receive().code, 0, "the answer")


def test_half_a_frame_and_nothing_more():
    with Rogues() as node:
        controls = [Control(node) for _ in range(30)]
        for control in controls:
            control.socket.sendall(struct.pack(">I", 1 << 20) + bytes(1000))
        node.json("status")
        for control in controls:
            control.close()
        equal(node.stop(), 0, "exit status")


def test_a_client_that_never_reads_is_not_read_from():
    with Rogues() as node, Control(node, timeout=1) as control:
        data = envelope(CALL, 1, "nobody.serves.this", principal="x" * 200)
        flood = memoryview((struct.pack(">I", len(data)) + data) * 1000)
        sent = 0
        try:
            while sent < 200 << 20:
                sent += control.socket.send(flood[sent % len(flood):])
        except TimeoutError:
            pass
        assert sent < 50 << 20, f"{sent} bytes were taken"
        equal(node.json("status")["plugins"][0]["state"], "ready", "another client")
        control.socket.settimeout(20)
        for _ in range(2000):
            equal(control.receive().kind, REPLY, "an answer, once it reads")


def test_a_client_that_does_not_take_its_answers_is_cut_off():
    with Rogues() as node, Control(node, timeout=20) as control:
        data = envelope(CALL, 1, "rogue.guarded", b"names", purpose="cells") # 200 kB each
        control.socket.sendall((struct.pack(">I", len(data)) + data) * 1000)
        log = node.dir / "node.log"
        wait_for("cut off", 20, lambda: "does not take its answers" in log.read_text())
        wait_for("no calls", 20, lambda: node.json("status")["node"]["calls"] == 0)
        assert control.is_closed(), "the connection stays"


def test_connections_beyond_the_maximum_are_told():
    with Rogues() as node:
        controls = [Control(node) for _ in range(64)]
        equal(controls[-1].call("rogue.show").code, 0, "the 64th")
        with Control(node) as more:
            answer = more.receive()
            equal(answer.code, ELIMIT, "the 65th")
            contains(answer.text, "as many control connections as it takes", "its reason")
            assert more.is_closed(), "the 65th stays"
        node.cairn("--json", "status", status=1)
        for control in controls[:10]:
            control.close()
        wait_for("room", 5, lambda: node.json("status", status=None).get("node"))


if __name__ == "__main__":
    main(globals())
