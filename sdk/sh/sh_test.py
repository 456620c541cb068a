# SPDX-License-Identifier: Apache-2.0
"""cairn-sh against a fake kernel.  sh_test.py PROGRAM"""

import os
import pathlib
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

from cairn import Error, wire  # noqa: E402
from cairn.testing import FakeKernel  # noqa: E402

PROGRAM = "cairn-sh"


class ShTest(unittest.TestCase):
    def kernel(self, programs, **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name, text in programs.items():
            (self.folder / name).write_text("#!/bin/sh\n" + text)
            (self.folder / name).chmod(0o755)
        return FakeKernel([PROGRAM, folder.name], **options)

    def call(self, text, body=b"body", **options):
        with self.kernel({"call": text}, **options) as kernel:
            return kernel.call("t.x", body, purpose="care").decode()

    def test_the_body_comes_in_and_the_answer_goes_out(self):
        self.assertEqual(self.call("cat"), "body")
        self.assertEqual(self.call("cat", b"x" * 3000000), "x" * 3000000)
        self.assertEqual(self.call("echo ignored", b"x" * 3000000), "ignored\n")

    def test_the_environment_says_who_asks(self):
        self.assertEqual(self.call('echo "$CAIRN_CALLBACK $CAIRN_SUBJECT $CAIRN_PRINCIPAL '
                                   '$CAIRN_PURPOSE $CAIRN_PLUGIN $CAIRN_NODE_ID"'),
                         "call t.x local:test care tested test-node\n")

    def test_settings_are_variables(self):
        config = {"a": "te xt", "deid.min-cell": 7, "l": ["x", "y"], "on": True, "none": []}
        self.assertEqual(self.call(
            'echo "$CAIRN_CONFIG_A,$CAIRN_CONFIG_DEID_MIN_CELL,$CAIRN_CONFIG_L,$CAIRN_CONFIG_ON,'
            '${CAIRN_CONFIG_NONE-unset}"', config=config), "te xt,7,x\ny,true,\n")

    def test_nothing_else_of_the_environment_is_seen(self):
        os.environ["SOMETHING_PRIVATE"] = "1"
        self.addCleanup(os.environ.pop, "SOMETHING_PRIVATE")
        names = {line.split("=")[0] for line in self.call("env").splitlines()}
        self.assertEqual({n for n in names if not n.startswith("CAIRN_")} - {"PWD", "SHLVL", "_"},
                         names & {"PATH", "LANG", "TZ"})

    def test_exit_statuses_are_codes(self):
        for status, code in ((1, "EINTERNAL"), (2, "EINVAL"), (3, "ENOTFOUND"), (4, "EUNSUPPORTED"),
                             (75, "EAGAIN"), (77, "EFORBIDDEN"), (99, "EINTERNAL")):
            with self.subTest(status), self.assertRaises(Error) as caught:
                self.call(f"echo why not; echo more; exit {status}")
            self.assertEqual((caught.exception.code, caught.exception.text), (code, "why not"))

    def test_a_missing_program_is_unsupported(self):
        with self.kernel({}) as kernel:
            with self.assertRaises(Error) as caught:
                kernel.call("t.x")
            self.assertEqual(caught.exception.code, "EUNSUPPORTED")
            self.assertIsNotNone(kernel.job("q"))
            kernel.event("a.b")
            kernel.settle()

    def test_a_timeout_kills_the_whole_group(self):
        text = 'sh -c "sleep 300 & echo \\$! >$CAIRN_STATE_DIR/pid; sleep 300" & wait'
        with self.kernel({"call": text}, config={"timeout_s": 1}) as kernel:
            with self.assertRaises(Error) as caught:
                kernel.call("t.x", timeout_ms=60000)
            self.assertEqual(caught.exception.code, "ETIMEOUT")
            self.assert_gone(int((kernel.dir / "state/pid").read_text()))

    def test_the_callers_deadline_is_one_too(self):
        with self.kernel({"call": "sleep 300"}) as kernel:
            with self.assertRaises(Error) as caught:
                kernel.call("t.x", timeout_ms=50)
            self.assertEqual(caught.exception.code, "ETIMEOUT")

    def test_what_is_left_in_the_background_is_killed(self):
        text = "sleep 300 & echo $! >$CAIRN_STATE_DIR/pid; echo done"
        with self.kernel({"call": text}) as kernel:
            self.assertEqual(kernel.call("t.x"), b"done\n")
            self.assert_gone(int((kernel.dir / "state/pid").read_text()))

    def assert_gone(self, pid):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                if pathlib.Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z":
                    return
            except FileNotFoundError:
                return
            time.sleep(0.01)
        self.fail(f"process {pid} lives on")

    def test_a_cancelled_call_is_killed(self):
        with self.kernel({"call": "echo begun >&3; exec 3>&-; sleep 300"}) as kernel:
            id = kernel.request("t.x", timeout_ms=60000)
            kernel.settle()
            kernel.send(wire.Envelope(kind=wire.CANCEL, id=id))
            self.assertEqual(kernel.expect(wire.REPLY, id=id).code, -8)

    def test_too_much_output_is_refused(self):
        with self.assertRaises(Error) as caught:
            self.call("head -c 20000000 /dev/zero")
        self.assertEqual(caught.exception.code, "ELIMIT")

    def test_obligations_are_read_and_fulfilled(self):
        text = 'echo "fulfil min_cell $CAIRN_OBLIGATION_MIN_CELL" >&3; echo 10'
        with self.kernel({"call": text}) as kernel:
            reply = kernel.reply("t.x", obligations={"min_cell": 12})
            self.assertEqual([(f.name, f.value) for f in reply.fulfilments], [("min_cell", 12)])

    def test_jobs_and_events_go_out_by_descriptor_3(self):
        text = 'echo "put later key1 some text" >&3; echo "publish t.did it all" >&3; echo ok'
        with self.kernel({"call": text}) as kernel:
            self.assertEqual(kernel.call("t.x"), b"ok\n")
            self.assertEqual(kernel.jobs, [("later", "key1", b"some text")])
            self.assertEqual(kernel.published, [("t.did", b"it all")])

    def test_nothing_goes_out_of_a_program_that_failed(self):
        with self.kernel({"call": 'echo "publish t.did it" >&3; exit 1'}) as kernel:
            with self.assertRaises(Error):
                kernel.call("t.x")
            kernel.settle()
            self.assertEqual(kernel.published, [])

    def test_a_wrong_command_fails_the_call(self):
        for line in ("forget it", "fulfil x y", "fulfil x"):
            with self.subTest(line), self.assertRaises(Error) as caught:
                self.call(f'echo "{line}" >&3')
            self.assertEqual(caught.exception.code, "EINVAL")

    def test_jobs_are_done_or_sent_back(self):
        text = 'read body; [ "$body" = good ] && [ "$CAIRN_KEY$CAIRN_QUEUE$CAIRN_ATTEMPT" = ktodo2 ] ' \
               '|| { echo not yet; exit 75; }'
        with self.kernel({"job": text}) as kernel:
            self.assertIsNone(kernel.job("todo", b"good\n", key="k", attempt=2))
            self.assertEqual(kernel.job("todo", b"bad\n"), "not yet")

    def test_events_come_in(self):
        text = 'echo "publish t.heard $CAIRN_SUBJECT $(cat)" >&3'
        with self.kernel({"event": text}) as kernel:
            kernel.event("news.today", b"rain")
            while not kernel.published:
                kernel.receive()
            self.assertEqual(kernel.published, [("t.heard", b"news.today rain")])

    def test_many_calls_at_once_are_all_answered(self):
        with self.kernel({"call": "cat"}) as kernel:
            ids = {kernel.request("t.x", str(i).encode()): str(i).encode() for i in range(100)}
            while ids:
                reply = kernel.expect(wire.REPLY)
                self.assertEqual(reply.body, ids.pop(reply.id))

    def test_start_and_stop_run(self):
        programs = {"start": "echo 1 >$CAIRN_STATE_DIR/begun", "stop": "echo publish t.bye >&3",
                    "call": "cat $CAIRN_STATE_DIR/begun"}
        with self.kernel(programs) as kernel:
            self.assertEqual(kernel.call("t.x"), b"1\n")
            self.assertEqual(kernel.stop(), 0)
            self.assertEqual(kernel.published, [("t.bye", b"")])

    def test_a_failed_start_says_why(self):
        with self.assertRaises(Error) as caught:
            with self.kernel({"start": "echo no database; exit 3"}):
                pass
        self.assertEqual((caught.exception.code, caught.exception.text),
                         ("ENOTFOUND", "start: no database"))

    def test_a_dead_kernel_ends_host_and_program(self):
        text = "echo $$ >$CAIRN_STATE_DIR/pid.new; mv $CAIRN_STATE_DIR/pid.new $CAIRN_STATE_DIR/pid; " \
               "exec sleep 300"
        with self.kernel({"call": text}) as kernel:
            kernel.request("t.x", timeout_ms=60000)
            end = time.monotonic() + 10
            while not (kernel.dir / "state/pid").exists() and time.monotonic() < end:
                time.sleep(0.01)
            self.assertEqual(kernel.die(), 1)
            self.assert_gone(int((kernel.dir / "state/pid").read_text()))


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
