# SPDX-License-Identifier: Apache-2.0
"""A kernel for tests: the other end of the socket, with the real wire, in the test's own process.

    from cairn.testing import FakeKernel

    with FakeKernel(plugin, config={"greeting": "hi"}) as kernel:
        assert kernel.call("hello-py.greet") == b"hi"

`plugin` is a cairn.Plugin, which then runs on a thread, or a command line (a list), which is started
as cairn-host would start it; so this tests plugins in any language.
"""

import asyncio
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from . import wire
from .errors import Error

WAIT_S = 20


class FakeKernel:
    def __init__(self, plugin, config=None, secrets=None, name="tested", project="test",
                 objects=False, intake=False):
        self.plugin, self.name = plugin, name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cairn-test-"))
        self.welcome = wire.Welcome(
            wire=1, node_id="test-node", project=project, state_dir=str(self.dir / "state"),
            objects_dir=str(self.dir / "objects") if objects else "",
            intake_dir=str(self.dir / "intake") if intake else "", heartbeat_ms=2000,
            secrets=[wire.Secret(name=n, value=v) for n, v in (secrets or {}).items()],
            settings=[s for key, value in (config or {}).items() for s in setting(key, value)])
        for folder in ("state", "objects", "intake"):
            (self.dir / folder).mkdir()
        self.replies = {}    # subject -> bytes, an Error, or a function of the body
        self.published = []  # (subject, body)
        self.jobs = []       # (queue, key, body) that were put
        self.messages = []   # every envelope that came
        self.status = None
        self._next_id = 0
        self._process = self._thread = None

    # ---- life ----

    def __enter__(self):
        self.open()
        self.expect(wire.HELLO)
        self.send(wire.Envelope(kind=wire.WELCOME, body=self.welcome.pack()))
        ready = self.expect(wire.READY)
        if ready.code != 0:
            self.send(wire.Envelope(kind=wire.STOP))
            self.wait()
            self.close()
            raise Error(ready.code, ready.text)
        return self

    def __exit__(self, kind, value, trace):
        if kind is None and self.status is None:
            self.stop()
        self.close()

    def open(self):
        """Starts the plugin and exchanges greetings, no more."""
        if isinstance(self.plugin, list):
            self._spawn()
        else:
            self.socket, theirs = socket.socketpair()
            self.plugin.name = self.name
            self._thread = threading.Thread(target=self._run, args=(theirs,), daemon=True)
            self._thread.start()
        self.socket.settimeout(WAIT_S)
        self.send_bytes(wire.GREETING)
        assert self._exactly(len(wire.GREETING)) == wire.GREETING

    def _run(self, sock):
        self.status = asyncio.run(self.plugin._serve(sock))

    def _spawn(self):
        path = str(self.dir / "kernel.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.settimeout(WAIT_S)
            package = str(pathlib.Path(__file__).resolve().parents[1])
            env = dict(os.environ, CAIRN_SOCKET=path, CAIRN_PLUGIN=self.name,
                       CAIRN_KERNEL=str(os.getpid()), PYTHONPATH=package,
                       PYTHONDONTWRITEBYTECODE="1")
            self._process = subprocess.Popen(self.plugin, env=env, stdin=subprocess.DEVNULL)
            self.socket, _ = listener.accept()

    def stop(self):
        """Asks the plugin to stop, in order; its exit status."""
        self.send(wire.Envelope(kind=wire.STOP))
        self.expect(wire.STOPPED)
        self.send(wire.Envelope(kind=wire.STOP))
        return self.wait()

    def wait(self):
        """For its end; its exit status."""
        if self._process is not None:
            self.status = self._process.wait(WAIT_S)
        else:
            self._thread.join(WAIT_S)
            assert self.status is not None, "the plugin did not end"
        return self.status

    def die(self):
        """Breaks the connection, as a dead kernel does; the plugin's exit status."""
        self.socket.close()
        return self.wait()

    def close(self):
        self.socket.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- the wire ----

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, envelope):
        self.send_bytes(wire.frame(envelope.pack()))

    def _exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("the plugin closed the connection")
            data += part
        return data

    def receive(self):
        """The next message; what a kernel answers at once has been answered."""
        header = self._exactly(wire.HEADER_BYTES)
        envelope = wire.Envelope.unpack(self._exactly(wire.frame_length(header)))
        self.messages.append(envelope)
        if envelope.kind == wire.EVENT:
            self.published.append((envelope.subject, envelope.body))
        elif envelope.kind == wire.JOB_PUT:
            self.jobs += [(job.queue, job.key, job.body) for job in envelope.jobs]
            self.send(wire.Envelope(kind=wire.REPLY, id=envelope.id))
        elif envelope.kind == wire.CALL:
            self.send(self._answer(envelope))
        return envelope

    def _answer(self, envelope):
        reply = wire.Envelope(kind=wire.REPLY, id=envelope.id)
        answer = self.replies.get(envelope.subject, Error("ENOTFOUND", "nobody here serves this"))
        if callable(answer):
            answer = answer(envelope.body)
        if isinstance(answer, Error):
            from .errors import CODES
            reply.code, reply.text = CODES[answer.code], answer.text
        else:
            reply.body = answer
        return reply

    def expect(self, *kinds, id=None):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            envelope = self.receive()
            if envelope.kind in kinds and id in (None, envelope.id):
                return envelope
        raise AssertionError(f"no message of kind {kinds} within {WAIT_S} s")

    # ---- what a kernel does ----

    def request(self, subject, body=b"", principal="local:test", role="operator", purpose="",
                obligations=None, timeout_ms=10000):
        """Sends a CALL; its id."""
        self._next_id += 1
        context = wire.Context(principal=wire.Principal(name=principal, role=role, via="control"),
                               purpose=purpose, request_id=f"{self._next_id:032x}")
        self.send(wire.Envelope(
            kind=wire.CALL, id=self._next_id, subject=subject, timeout_ms=timeout_ms,
            context=context, body=body,
            obligations=[wire.Obligation(name=n, value=v) for n, v in (obligations or {}).items()]))
        return self._next_id

    def reply(self, subject, body=b"", **context):
        """Calls the plugin; its whole REPLY."""
        return self.expect(wire.REPLY, id=self.request(subject, body, **context))

    def call(self, subject, body=b"", **context):
        """Calls the plugin; the answer's body, or an Error."""
        reply = self.reply(subject, body, **context)
        if reply.code != 0:
            raise Error(reply.code, reply.text)
        return reply.body

    def job(self, queue, body=b"", key="", attempt=1):
        """Hands a job out; None when it was done, or the reason why it was sent back."""
        self._next_id += 1
        job = wire.Job(id=self._next_id, queue=queue, key=key, body=body, attempt=attempt)
        self.send(wire.Envelope(kind=wire.JOB, jobs=[job]))
        while True:
            envelope = self.expect(wire.JOB_DONE, wire.JOB_RETRY)
            if job.id in envelope.job_ids:
                return None if envelope.kind == wire.JOB_DONE else envelope.text

    def event(self, subject, body=b""):
        """Delivers an event and waits until the plugin has read it."""
        self.send(wire.Envelope(kind=wire.EVENT, subject=subject, body=body))
        self.settle()

    def settle(self):
        self._next_id += 1
        self.send(wire.Envelope(kind=wire.PING, id=self._next_id))
        self.expect(wire.PONG, id=self._next_id)


def setting(key, value):
    """A setting as the kernel sends it: a list is its key several times."""
    if isinstance(value, (list, tuple)):
        items = [wire.Setting(key=key, text=item) for item in value]
        return items or [wire.Setting(key=key, empty_list=True)]
    if isinstance(value, bool):
        return [wire.Setting(key=key, boolean=value)]
    if isinstance(value, int):
        return [wire.Setting(key=key, integer=value)]
    if isinstance(value, float):
        return [wire.Setting(key=key, number=value)]
    return [wire.Setting(key=key, text=value)]
