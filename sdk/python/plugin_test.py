# SPDX-License-Identifier: Apache-2.0
"""Plugins against a fake kernel on the real wire, a hostile one among them."""

import asyncio
import io
import logging
import struct
import threading
import unittest

import cairn
from cairn import log, wire
from cairn.testing import FakeKernel


def make():
    plugin = cairn.Plugin()
    plugin.seen = []
    plugin.begun = threading.Event()

    @plugin.on_start
    def start():
        plugin.publish("t.started")

    @plugin.on_call("t.echo")
    def echo(request):
        return request.body

    @plugin.on_call("t.who")
    async def who(request):
        return f"{request.principal} {request.role} {request.purpose}"

    @plugin.on_call("t.count")
    def count(request):
        request.fulfil("min_cell", request.obligations["min_cell"])
        return "10"

    @plugin.on_call("t.parts")
    def parts(request):
        request.progress(b"half")
        return b"whole"

    @plugin.on_call("t.refuse")
    def refuse(request):
        raise cairn.Error("ENOTFOUND", "no such thing")

    @plugin.on_call("t.crash")
    def crash(request):
        raise RuntimeError("patient Doe")

    @plugin.on_call("t.slow")
    async def slow(request):
        plugin.begun.set()
        await asyncio.sleep(3600)

    @plugin.on_call("t.ask")
    async def ask(request):
        return await plugin.call("other.thing", request.body, timeout=5)

    @plugin.on_call("t.put")
    async def put(request):
        await plugin.put("later", request.body, key="k1")

    @plugin.on_call("t.work")
    async def work(request):
        return await plugin.work(lambda: threading.current_thread().name)

    @plugin.on_job("todo")
    async def todo(job):
        plugin.seen.append((job.key, job.body, job.attempt))
        if job.body == b"bad":
            raise cairn.Retry("not yet")

    @plugin.on_event("news.*")
    def news(subject, body):
        plugin.seen.append((subject, body))

    @plugin.on_stop
    async def stop():
        plugin.seen.append("stopped")
    return plugin


class PluginTest(unittest.TestCase):
    def setUp(self):
        self.plugin = make()
        self.log = io.StringIO()
        self.handler = logging.StreamHandler(self.log)
        self.handler.setFormatter(log.Formatter())
        self.plugin.log.handlers[:] = [self.handler]

    def kernel(self, **options):
        return FakeKernel(self.plugin, **options)

    def test_a_call_is_answered(self):
        with self.kernel() as kernel:
            self.assertEqual(kernel.call("t.echo", b"x" * 100000), b"x" * 100000)
            self.assertEqual(kernel.call("t.who", purpose="research"),
                             b"local:test operator research")

    def test_many_calls_at_once_are_all_answered(self):
        with self.kernel() as kernel:
            ids = {kernel.request("t.echo", str(i).encode()): i for i in range(500)}
            for _ in range(len(ids)):
                reply = kernel.expect(wire.REPLY)
                self.assertEqual(int(reply.body), ids.pop(reply.id))

    def test_obligations_are_reported(self):
        with self.kernel() as kernel:
            reply = kernel.reply("t.count", obligations={"min_cell": 10})
            self.assertEqual([(f.name, f.value) for f in reply.fulfilments], [("min_cell", 10)])

    def test_progress_comes_before_the_answer(self):
        with self.kernel() as kernel:
            kernel.call("t.parts")
            self.assertEqual([m.kind for m in kernel.messages[-2:]], [wire.PROGRESS, wire.REPLY])

    def test_errors_become_answers_and_nothing_of_the_data_is_logged(self):
        with self.kernel() as kernel:
            for subject, code in (("t.refuse", "ENOTFOUND"), ("t.crash", "EINTERNAL"),
                                  ("t.nothing", "EUNSUPPORTED")):
                with self.assertRaises(cairn.Error) as caught:
                    kernel.call(subject)
                self.assertEqual(caught.exception.code, code)
        self.assertIn("RuntimeError at ", self.log.getvalue())
        self.assertNotIn("Doe", self.log.getvalue())

    def test_a_cancelled_call_ends(self):
        with self.kernel() as kernel:
            id = kernel.request("t.slow")
            self.assertTrue(self.plugin.begun.wait(10))
            kernel.send(wire.Envelope(kind=wire.CANCEL, id=id))
            self.assertEqual(kernel.expect(wire.REPLY, id=id).code, -8)

    def test_a_call_cancelled_before_it_began_is_answered_once(self):
        with self.kernel() as kernel:
            id = kernel.request("t.slow")
            kernel.send(wire.Envelope(kind=wire.CANCEL, id=id))
            self.assertEqual(kernel.expect(wire.REPLY, id=id).code, -8)
            kernel.settle()
            self.assertEqual(sum(m.kind == wire.REPLY for m in kernel.messages), 1)

    def test_other_plugins_are_called(self):
        with self.kernel() as kernel:
            kernel.replies["other.thing"] = lambda body: body[::-1]
            self.assertEqual(kernel.call("t.ask", b"abc"), b"cba")
            kernel.replies["other.thing"] = cairn.Error("EDENIED", "the policy said no")
            with self.assertRaises(cairn.Error) as caught:
                kernel.call("t.ask")
            self.assertEqual(str(caught.exception), "EDENIED: the policy said no")

    def test_jobs_are_put_and_awaited(self):
        with self.kernel() as kernel:
            kernel.call("t.put", b"payload")
            self.assertEqual(kernel.jobs, [("later", "k1", b"payload")])

    def test_jobs_are_done_or_sent_back(self):
        with self.kernel() as kernel:
            self.assertIsNone(kernel.job("todo", b"good", key="a", attempt=2))
            self.assertEqual(kernel.job("todo", b"bad"), "not yet")
            self.assertEqual(kernel.job("unknown"), "this plugin takes no such jobs")
        self.assertIn(("a", b"good", 2), self.plugin.seen)

    def test_events_come_by_pattern_and_go(self):
        with self.kernel() as kernel:
            kernel.event("news.today", b"1")
            kernel.event("newsx", b"2")
            kernel.settle()
            self.assertEqual(kernel.published, [("t.started", b"")])
        self.assertEqual([s for s in self.plugin.seen if s != "stopped"], [("news.today", b"1")])

    def test_blocking_work_leaves_the_loop(self):
        with self.kernel() as kernel:
            self.assertNotIn(b"MainThread", kernel.call("t.work"))

    def test_settings_and_secrets_arrive_with_their_types(self):
        config = {"a": "text", "b": 7, "c": 1.5, "d": True, "l": ["x", "y"], "one": ["z"], "none": []}
        with self.kernel(config=config, secrets={"uid": b"\1\2"}):
            read = self.plugin.config
            self.assertEqual([read[k] for k in "abcd"], ["text", 7, 1.5, True])
            self.assertEqual([read.list(k) for k in ("l", "one", "none")], [["x", "y"], ["z"], []])
            self.assertEqual(self.plugin.secret("uid"), b"\1\2")
            self.assertTrue(self.plugin.state_dir.is_dir())
            self.assertIsNone(self.plugin.objects_dir)
            with self.assertRaises(cairn.Error):
                self.plugin.secret("site")

    def test_stop_waits_for_what_is_under_way(self):
        kernel = self.kernel()
        with kernel:
            id = kernel.request("t.slow")
            self.assertTrue(self.plugin.begun.wait(10))
            kernel.send(wire.Envelope(kind=wire.STOP))
            kernel.send(wire.Envelope(kind=wire.CANCEL, id=id))
            kernel.expect(wire.REPLY, id=id)
            kernel.expect(wire.STOPPED)
            kernel.send(wire.Envelope(kind=wire.STOP))
            self.assertEqual(kernel.wait(), 0)
        self.assertEqual(self.plugin.seen[-1], "stopped")

    def test_a_failed_start_says_why(self):
        @self.plugin.on_start
        def start():
            raise cairn.Error("EINVAL", "no database")
        with self.assertRaisesRegex(cairn.Error, "no database"):
            with self.kernel():
                pass

    def test_a_dead_kernel_ends_the_plugin(self):
        kernel = self.kernel()
        with kernel:
            self.assertEqual(kernel.die(), 1)

    def test_a_hostile_kernel_ends_the_plugin_cleanly(self):
        header = lambda length: b"\x01" + struct.pack(">Q", length)
        for name, data in {"a frame of 2^63": header(1 << 63), "17 MiB": header(17 << 20),
                           "another type": b"\x02" + bytes(8), "no envelope": header(2) + b"\x0f\x00",
                           "cut": header(3) + b"\x1a\x7fa"}.items():
            with self.subTest(name):
                self.setUp()
                kernel = self.kernel()
                with kernel:
                    kernel.send_bytes(data)
                    self.assertEqual(kernel.wait(), 1)
                self.assertIn(", leaving", self.log.getvalue())

    def test_nonsense_in_good_frames_changes_nothing(self):
        with self.kernel() as kernel:
            for envelope in (wire.Envelope(kind=99), wire.Envelope(kind=wire.REPLY, id=77),
                             wire.Envelope(kind=wire.CANCEL, id=5), wire.Envelope(),
                             wire.Envelope(kind=wire.WELCOME, body=b"\xff"),
                             wire.Envelope(kind=wire.JOB)):
                kernel.send(envelope)
            self.assertEqual(kernel.call("t.echo", b"still here"), b"still here")

    def test_another_greeting_or_version_is_refused(self):
        kernel = self.kernel()
        kernel.open()
        kernel.expect(wire.HELLO)
        kernel.send(wire.Envelope(kind=wire.WELCOME, body=wire.Welcome(wire=9).pack()))
        self.assertEqual(kernel.wait(), 1)
        kernel.close()

    def test_a_log_line_is_one_line(self):
        self.plugin.log.warning("two\nlines")
        self.assertRegex(self.log.getvalue(), r"^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z warning \S+: "
                                              r"two\\nlines\n$")


if __name__ == "__main__":
    unittest.main()
