# SPDX-License-Identifier: Apache-2.0
"""The hexadecimal examples of PLUGINS.md, "The bus, byte by byte": each block says what it shows
("hex NAME"), and is compared with what the code really sends: the Python package, and the C hosts,
whose first bytes are caught on a socket."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk/python"))

from cairn import wire  # noqa: E402
from cairn.testing import FakeKernel  # noqa: E402

BIN = pathlib.Path(os.environ["CAIRN_BIN"]).resolve()
E = wire.Envelope


def example(body):
    """Bytes of a block; what stands behind two spaces explains."""
    return bytes.fromhex("".join(line.split("  ")[0] for line in body.splitlines()))


def blocks():
    text = (ROOT / "PLUGINS.md").read_text()
    return {name: example(body)
            for name, body in re.findall(r"^```hex ([\w-]+)\n(.*?)^```$", text, re.M | re.S)}


MESSAGES = {
    "hello": E(kind=wire.HELLO, body=wire.Hello(wire_min=1, wire_max=1, plugin="hello-py",
                                               version="0.1.0", abi=1, pid=4711).pack()),
    "welcome": E(kind=wire.WELCOME, body=wire.Welcome(
        wire=1, node_id="st-anna", project="local", state_dir="/s", heartbeat_ms=2000,
        settings=[wire.Setting(key="times", integer=2)]).pack()),
    "ready": E(kind=wire.READY),
    "call": E(kind=wire.CALL, id=7, subject="a.b", timeout_ms=1000, body=b"hi",
              context=wire.Context(principal=wire.Principal(name="local:root", role="operator",
                                                            via="control"), purpose="operations"),
              obligations=[wire.Obligation(name="min_cell", value=10)]),
    "reply": E(kind=wire.REPLY, id=7, body=b"hello",
               fulfilments=[wire.Fulfilment(name="min_cell", value=10)]),
    "refusal": E(kind=wire.REPLY, id=7, code=-4, text="no"),
    "put": E(kind=wire.JOB_PUT, id=8, jobs=[wire.Job(queue="q", key="k", body=b"b")]),
    "job": E(kind=wire.JOB, jobs=[wire.Job(id=300, queue="q", key="k", body=b"b", attempt=1)]),
    "done": E(kind=wire.JOB_DONE, job_ids=[300, 301]),
    "event": E(kind=wire.EVENT, subject="news.today", body=b"rain"),
    "cancel": E(kind=wire.CANCEL, id=7),
    "stop": E(kind=wire.STOP),
}


class WireTest(unittest.TestCase):
    def test_every_example_is_known_and_every_message_shown(self):
        self.assertEqual(set(blocks()), {"greeting", *MESSAGES})

    def test_the_greeting_is_what_is_sent(self):
        self.assertEqual(blocks()["greeting"], wire.GREETING)

    def test_messages_are_what_is_sent(self):
        shown = blocks()
        for name, message in MESSAGES.items():
            with self.subTest(name):
                self.assertEqual(shown[name].hex(), wire.frame(message.pack()).hex())

    def test_protobuf_c_packs_the_same_bytes(self):
        """cairn-lua answers, calls and puts as the examples do."""
        script = """
        cairn.on_call("a.b", function(request)
            request:fulfil("min_cell", request:obligation("min_cell"))
            return "hello"
        end)
        cairn.on_call("a.no", function() cairn.fail("ENOTFOUND", "no") end)
        cairn.on_event("news.*", function(s, b) cairn.publish(s, b) end)"""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script)
            file.flush()
            kernel = FakeKernel([str(BIN / "cairn-lua"), file.name], name="hello-py")
            caught = []
            exactly = kernel._exactly

            def tap(length):
                data = exactly(length)
                caught.append(data)
                return data
            kernel._exactly = tap
            with kernel:
                hello = wire.Hello.unpack(wire.Envelope.unpack(caught[2]).body)
                self.assertEqual(caught[0], wire.GREETING)
                hello.pid = 4711
                self.assertEqual(
                    wire.frame(E(kind=wire.HELLO, body=hello.pack()).pack()), blocks()["hello"])
                self.assertEqual(b"".join(caught[3:5]), blocks()["ready"])
                for sent, wanted in (("call", "reply"), ("event", "event")):
                    del caught[:]
                    kernel.send_bytes(blocks()[sent])
                    kernel.receive()
                    self.assertEqual(b"".join(caught).hex(), blocks()[wanted].hex())
                del caught[:]
                refused = MESSAGES["call"]
                kernel.send(E(kind=wire.CALL, id=7, subject="a.no", context=refused.context))
                kernel.receive()
                self.assertEqual(b"".join(caught).hex(), blocks()["refusal"].hex())

    def test_the_table_of_kinds_is_the_enum(self):
        proto = (ROOT / "proto/cairn/bus.proto").read_text()
        kinds = proto.split("message Envelope {")[1].split("}")[0]
        enum = dict(re.findall(r"^    ([A-Z_]+) = (\d+);", kinds, re.M))
        text = (ROOT / "PLUGINS.md").read_text().split("### Kinds")[1].split("\n### ")[0]
        table = {name: number for number, name in re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", text, re.M)}
        self.assertEqual(table, {n: v for n, v in enum.items() if n != "NONE"})

    def test_the_tables_of_fields_are_the_messages(self):
        proto = (ROOT / "proto/cairn/bus.proto").read_text()
        text = (ROOT / "PLUGINS.md").read_text()
        for message in ("Envelope", "Hello", "Welcome"):
            body = proto.split(f"message {message} {{")[1].split("\n}")[0]
            fields = set(re.findall(r"(\w+) = (\d+);", re.sub(r"enum.*?\}", "", body, flags=re.S)))
            table = text.split(f"### {message}\n")[1].split("\n### ")[0]
            self.assertEqual({(name, number) for number, name in
                              re.findall(r"^\| (\d+) \| (\w+) \|", table, re.M)}, fields, message)


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        for name, message in MESSAGES.items():
            print(f"```hex {name}\n{wire.frame(message.pack()).hex(' ')}\n```")
    else:
        unittest.main()
