# SPDX-License-Identifier: Apache-2.0
"""cairn-lua against a fake kernel: what a script can do, and what it cannot.  lua_test.py PROGRAM"""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

from cairn import Error, wire  # noqa: E402
from cairn.testing import FakeKernel  # noqa: E402

PROGRAM = "cairn-lua"


class LuaTest(unittest.TestCase):
    def kernel(self, script, **options):
        file = tempfile.NamedTemporaryFile("w", suffix=".lua")
        self.addCleanup(file.close)
        file.write(script)
        file.flush()
        return FakeKernel([PROGRAM, file.name], **options)

    def call(self, body, subject="t.x", **options):
        """The answer of a handler with that body."""
        with self.kernel(f'cairn.on_call("t.x", function(request) {body} end)', **options) as kernel:
            return kernel.call(subject, b"body", purpose="care").decode()

    def test_a_call_is_answered(self):
        self.assertEqual(self.call('return request.subject .. request.body .. request.principal .. '
                                   'request.purpose'), "t.xbodylocal:testcare")
        self.assertEqual(self.call("return"), "")
        self.assertEqual(self.call("return 'a\\0b'"), "a\0b")

    def test_errors_become_answers(self):
        for body, code, text in (
                ("cairn.fail('ENOTFOUND', 'no such thing')", "ENOTFOUND", "no such thing"),
                ("error('oops')", "EINTERNAL", "oops"), ("error(nil)", "EINTERNAL", "without words"),
                ("error({})", "EINTERNAL", "without words"),
                ("coroutine.yield(1)", "EINTERNAL", "without words"),
                ("return string.rep('x', 1e9)", "EINTERNAL", "not enough memory"),
                ("local t = {} while true do t[#t + 1] = string.rep('x', 1e6) .. #t end",
                 "EINTERNAL", "not enough memory"),
                ("local function f() return f() + 1 end f()", "EINTERNAL", "stack overflow")):
            with self.subTest(body), self.assertRaises(Error) as caught:
                self.call(body)
            self.assertEqual(caught.exception.code, code)
            self.assertIn(text, caught.exception.text)

    def test_an_unknown_subject_is_unsupported(self):
        with self.assertRaises(Error) as caught:
            self.call("return 1", subject="t.y")
        self.assertEqual(caught.exception.code, "EUNSUPPORTED")

    def test_nothing_outside_is_reachable(self):
        for name in ("io", "os", "package", "require", "debug", "dofile", "loadfile", "load"):
            with self.subTest(name):
                self.assertEqual(self.call(f"return tostring({name})"), "nil")

    def test_only_own_files_are_read_and_written(self):
        self.assertEqual(self.call("cairn.write_file('a', 'b') return cairn.read_file('a')"), "b")
        for path in ("/etc/passwd", "../../../../../../etc/passwd", "missing", "../objects/x"):
            with self.subTest(path):
                self.assertEqual(self.call(f"return tostring(cairn.read_file('{path}'))"), "nil")
        with self.assertRaises(Error):
            self.call("cairn.write_file('../x', 'b')")

    def test_obligations_are_read_and_reported(self):
        script = """cairn.on_call("t.x", function(request)
            request:fulfil("min_cell", request:obligation("min_cell"))
            assert(request:obligation("round") == nil)
            request:progress("half")
            return "whole"
        end)"""
        with self.kernel(script) as kernel:
            reply = kernel.reply("t.x", obligations={"min_cell": 10})
            self.assertEqual([(f.name, f.value) for f in reply.fulfilments], [("min_cell", 10)])
            self.assertEqual(kernel.messages[-2].body, b"half")

    def test_calls_wait_for_their_answers_side_by_side(self):
        script = """cairn.on_call("t.x", function(request)
            local ok, e = pcall(cairn.call, "other.thing", request.body, 5)
            return ok and e or e.code .. " " .. e.text
        end)"""
        with self.kernel(script) as kernel:
            kernel.replies["other.thing"] = lambda body: body + body
            ids = [kernel.request("t.x", str(i).encode()) for i in range(100)]
            answers = {}
            while len(answers) < 100:
                reply = kernel.expect(wire.REPLY)
                answers[reply.id] = reply.body
            self.assertEqual([answers[i] for i in ids], [str(i).encode() * 2 for i in range(100)])
            kernel.replies["other.thing"] = Error("EDENIED", "the policy said no")
            self.assertEqual(kernel.call("t.x"), b"EDENIED the policy said no")

    def test_a_call_nobody_answers_times_out(self):
        with self.kernel("""cairn.on_call("t.x", function(request)
            return cairn.call("other.thing", "", 0.01) end)""") as kernel:
            kernel._answer = lambda envelope: wire.Envelope(kind=wire.PING)
            with self.assertRaises(Error) as caught:
                kernel.call("t.x")
            self.assertEqual(caught.exception.code, "ETIMEOUT")

    def test_jobs_are_put_done_and_sent_back(self):
        script = """
        cairn.on_call("t.x", function(request) cairn.put("q", request.body, "k") return "on disk" end)
        cairn.on_job("todo", function(job)
            if job.body == "bad" then error("not yet") end
            cairn.publish("t.did", job.queue .. job.key .. job.body .. job.attempt)
        end)"""
        with self.kernel(script) as kernel:
            self.assertEqual(kernel.call("t.x", b"1"), b"on disk")
            self.assertEqual(kernel.jobs, [("q", "k", b"1")])
            self.assertIsNone(kernel.job("todo", b"good", key="a", attempt=3))
            self.assertEqual(kernel.published, [("t.did", b"todoagood3")])
            self.assertIn("not yet", kernel.job("todo", b"bad"))
            self.assertIn("takes no such jobs", kernel.job("other"))

    def test_events_come_by_pattern(self):
        script = """
        cairn.on_event("news.*", function(subject, body) cairn.publish("t.heard", subject .. body) end)
        cairn.on_event("news.today", function(subject, body) cairn.publish("t.too", body) end)"""
        with self.kernel(script) as kernel:
            kernel.event("news.today", b"1")
            kernel.event("newsx", b"2")
            self.assertEqual(kernel.published, [("t.heard", b"news.today1"), ("t.too", b"1")])

    def test_timers_fire_and_stop(self):
        script = """
        local n = 0
        local timer
        timer = cairn.every(0.001, function()
            n = n + 1
            if n == 3 then timer:stop() timer:stop() cairn.after(0, function()
                cairn.publish("t.fired", cairn.call("other.n", tostring(n)))
            end) end
        end)"""
        with self.kernel(script) as kernel:
            kernel.replies["other.n"] = lambda body: body
            while not kernel.published:
                kernel.receive()
            self.assertEqual(kernel.published, [("t.fired", b"3")])

    def test_settings_and_secrets(self):
        config = {"a": "text", "b": 7, "c": 1.5, "d": True, "l": ["x", "y"], "none": []}
        self.assertEqual(self.call(
            """return cairn.config("a") .. cairn.config("b") .. cairn.config("c") ..
            tostring(cairn.config("d")) .. table.concat(cairn.list("l"), "+") .. #cairn.list("none") ..
            cairn.secret("k") .. cairn.node_id .. cairn.project .. tostring(cairn.objects_dir)""",
            config=config, secrets={"k": b"key"}), "text71.5truex+y0keytest-nodetestnil")
        for body in ("cairn.config('missing')", "cairn.secret('other')"):
            with self.subTest(body), self.assertRaises(Error):
                self.call(body)

    def test_a_cancelled_call_ends_and_its_handler_is_told(self):
        script = """cairn.on_call("t.x", function(request)
            cairn.call("other.thing")
            cairn.publish("t.ended", tostring(request.ended))
            return "too late"
        end)"""
        with self.kernel(script) as kernel:
            held = []
            kernel._answer = lambda envelope: held.append(envelope) or wire.Envelope(kind=wire.PING)
            id = kernel.request("t.x")
            kernel.expect(wire.CALL)
            kernel.send(wire.Envelope(kind=wire.CANCEL, id=id))
            self.assertEqual(kernel.expect(wire.REPLY, id=id).code, -8)
            kernel.send(wire.Envelope(kind=wire.REPLY, id=held[0].id))
            kernel.settle()
            self.assertEqual(kernel.published, [("t.ended", b"true")])

    def test_stop_waits_for_handlers_and_on_stop(self):
        script = """
        cairn.on_call("t.x", function(request) return cairn.call("other.thing") end)
        cairn.on_stop(function() cairn.publish("t.bye") end)"""
        with self.kernel(script) as kernel:
            held = []
            kernel._answer = lambda envelope: held.append(envelope) or wire.Envelope(kind=wire.PING)
            kernel.request("t.x")
            kernel.expect(wire.CALL)
            kernel.send(wire.Envelope(kind=wire.STOP))
            kernel.settle()
            kernel.send(wire.Envelope(kind=wire.REPLY, id=held[0].id))
            kernel.expect(wire.STOPPED)
            self.assertEqual(kernel.published, [("t.bye", b"")])
            kernel.send(wire.Envelope(kind=wire.STOP))
            self.assertEqual(kernel.wait(), 0)

    def test_a_script_that_cannot_start_says_why(self):
        for script, text in (("x = ", "unexpected symbol"), ("error('no database')", "no database"),
                             ("\x1bLua", "attempt to load a binary chunk"),
                             ("cairn.call('a.b')", "only a handler can wait"),
                             ("cairn.on_call('a', print)", "function expected"),
                             ("for _ = 1, 2 do cairn.on_job('a', function() end) end", "already")):
            with self.subTest(script), self.assertRaises(Error) as caught:
                with self.kernel(script):
                    pass
            self.assertIn(text, caught.exception.text)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
