# SPDX-License-Identifier: Apache-2.0
"""A plugin: handlers, what it may ask of the kernel, and its life from HELLO to STOPPED.

Everything runs on one asyncio loop.  A handler is a function or a coroutine function; a plain
function runs on the loop, so what takes long goes to work().  A loop that is blocked does not
answer heartbeats, and three missed ones are a crash.
"""

import asyncio
import inspect
import os
import pathlib
import sys

from . import bus as bus_module
from . import log, wire
from .errors import CODES, Error, Retry
from .requests import ANSWER_MAX, Finding, Job, Request

WIRE = 1
VERSION = "0.1.0"
CALLS_MAX = 4096
REQUESTS_MAX = 4096
EVENTS_MAX = 8192  # handlers of events under way; more are dropped, for events are best effort
HANDSHAKE_S = 10
LEAVE_S = 2
SUBJECT_MAX = 256
PUT_JOBS_MAX = 4096
KEY_MAX = 128
VERSION_WORDS = (" " + os.environ.get("CAIRN_PLUGIN_VERSION", "")).rstrip()
FINDINGS_MAX = 32


def matches(pattern, subject):
    """ "a.b" is itself, "a.*" all that begins with "a."."""
    return subject.startswith(pattern[:-1]) if pattern.endswith(".*") else pattern == subject


class Plugin:
    def __init__(self):
        self.name = os.environ.get("CAIRN_PLUGIN", "plugin")
        self.log = log.logger(self.name)
        self.config = Config()
        self.node_id = self.project = ""
        self.state_dir = self.objects_dir = self.intake_dir = None
        self._calls, self._jobs, self._events = {}, {}, []
        self._start = self._stop = self._check = self._health = None
        self.serving = False
        self._secrets = {}
        self._bus = None
        self._waiting = {}
        self._next_id = 0
        self._requests = {}
        self._tasks = set()
        self._timers = []
        self._stopping = asyncio.Event()
        self._done = []

    # ---- handlers ----

    def on_call(self, subject):
        """Answers calls of `subject`: given a Request, returns bytes, str or None."""
        return self._register(self._calls, subject)

    def on_job(self, queue):
        """Handles durable jobs of `queue`: given a Job.  Returning ends it; an exception sends it
        back (Retry says why)."""
        return self._register(self._jobs, queue)

    def on_event(self, pattern):
        """Given subject and body of every event that matches `pattern`."""
        def decorate(function):
            self._events.append((pattern, function))
            return function
        return decorate

    def on_start(self, function):
        """Runs before the kernel sends anything; an exception means that we cannot start."""
        self._start = function
        return function

    def on_stop(self, function):
        """Runs when all that was under way has ended."""
        self._stop = function
        return function

    def on_check(self, function):
        """Runs in place of everything else, for `cairn check`: a list of Finding that says what of
        the settings would not work here; `plugin.serving` says whether the plugin runs now."""
        self._check = function
        return function

    def on_health(self, function):
        """For `cairn doctor`: a list of Finding that says how the plugin is, without waiting."""
        self._health = function
        return function

    def _register(self, table, key):
        if key in table:
            raise ValueError(f"{key} has a handler already")

        def decorate(function):
            table[key] = function
            return function
        return decorate

    # ---- what a plugin may ask ----

    def secret(self, name):
        """A granted secret (`secret:NAME` in the manifest)."""
        if name not in self._secrets:
            raise Error("EFORBIDDEN", f"the secret '{name}' was not granted")
        return self._secrets[name]

    async def call(self, subject, body=b"", timeout=30.0):
        """Calls another plugin or the kernel; the answer's body."""
        timeout_ms = max(1, int(timeout * 1000))
        envelope = wire.Envelope(kind=wire.CALL, subject=_subject(subject), timeout_ms=timeout_ms,
                                 body=_body(body))
        return await self._ask(envelope, timeout)

    async def put(self, queue, body, key=""):
        """Puts one durable job; returns when it is on disk."""
        await self.put_all([(queue, body, key)])

    async def put_all(self, jobs):
        """Puts (queue, body, key) triples, all or none."""
        if not 0 < len(jobs) <= PUT_JOBS_MAX:
            raise Error("EINVAL", f"1 to {PUT_JOBS_MAX} jobs in one put")
        items = []
        for queue, body, key in jobs:
            if len(key.encode()) > KEY_MAX:
                raise Error("EINVAL", f"a key of more than {KEY_MAX} bytes")
            items.append(wire.Job(queue=_subject(queue), body=_body(body), key=key))
        await self._ask(wire.Envelope(kind=wire.JOB_PUT, jobs=items), None)

    def publish(self, subject, body=b""):
        """Publishes an event, best effort."""
        self._send(wire.Envelope(kind=wire.EVENT, subject=_subject(subject), body=_body(body)))

    async def work(self, function, *args):
        """Runs a function that blocks on a worker thread."""
        return await asyncio.to_thread(function, *args)

    def every(self, seconds, function):
        """Calls `function` again and again until the plugin stops; call it from on_start."""
        async def repeat():
            while True:
                await asyncio.sleep(seconds)
                try:
                    await _run(function)
                except Exception:
                    self.log.exception("a timer failed")
        self._timers.append(asyncio.get_running_loop().create_task(repeat()))

    def spawn(self, coroutine):
        """Runs a coroutine beside everything else; the plugin does not stop before it has ended."""
        return self._spawn(coroutine)

    # ---- running ----

    def run(self):
        """Serves until the kernel says stop, then ends the process."""
        path, self.name, kernel = bus_module.from_environment()
        self.log = log.logger(self.name)
        try:
            status = asyncio.run(self._main(path, kernel))
        except KeyboardInterrupt:
            status = 1
        sys.exit(status)

    async def _main(self, path, kernel):
        try:
            sock = await bus_module.dial(path, kernel)
        except OSError as error:
            self.log.error("cannot reach the kernel: %s", error)
            return 1
        return await self._serve(sock)

    async def _serve(self, sock):
        """From a connected socket to the exit status."""
        self._bus = await bus_module.Bus.open(sock)
        reader = None
        try:
            await asyncio.wait_for(self._handshake(), HANDSHAKE_S)
            if self._checking:
                return await self._answer_check()
            if not await self._begin():
                return await self._leave(1)
            reader = asyncio.create_task(self._read())
            stop = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({reader, stop}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                stop.cancel()
                reader.result()
            return await self._end(reader)
        except asyncio.TimeoutError:
            self.log.error("the kernel did not welcome us, leaving")
        except (wire.WireError, Error) as error:
            self.log.error("%s, leaving", error)
        except (asyncio.IncompleteReadError, OSError):
            self.log.error("lost the kernel, leaving")
        finally:
            await self._abandon(reader)
        return 1

    async def _abandon(self, reader):
        tasks = [t for t in [reader, *self._tasks, *self._timers] if t is not None and not t.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._bus.close()

    async def _handshake(self):
        hello = wire.Hello(wire_min=WIRE, wire_max=WIRE, plugin=self.name, version=VERSION, abi=1,
                           pid=os.getpid())
        self._send(wire.Envelope(kind=wire.HELLO, body=hello.pack()))
        await self._bus.greeting()
        while True:
            envelope = await self._bus.receive()
            if envelope.kind == wire.WELCOME:
                break
            if envelope.kind == wire.PING:
                self._answer(wire.Envelope(kind=wire.PONG, id=envelope.id))
            elif envelope.kind == wire.STOP:
                raise Error("ECANCELLED", "stopped before the start")
        welcome = wire.Welcome.unpack(envelope.body)
        if welcome.wire != WIRE:
            raise wire.WireError(f"the kernel speaks wire version {welcome.wire}, we speak {WIRE}")
        self._take(welcome)

    def _take(self, welcome):
        self.node_id, self.project = welcome.node_id, welcome.project
        for name in ("state_dir", "objects_dir", "intake_dir"):
            path = getattr(welcome, name)
            setattr(self, name, pathlib.Path(path) if path else None)
        self._secrets = {secret.name: secret.value for secret in welcome.secrets}
        self.config = Config(welcome.settings)
        self._checking, self.serving = welcome.check, welcome.serving

    async def _begin(self):
        """on_start and READY; what on_start sends waits behind READY.  Calls it makes are answered
        only afterwards, so it must not wait for them."""
        self._bus.cork()
        code, text = 0, ""
        try:
            if self._start is not None:
                await _run(self._start)
        except Error as error:
            code, text = CODES[error.code], error.text or str(error)
        except Exception as error:
            code, text = CODES["EINTERNAL"], f"start failed {log.where(error)}"
        if code != 0:
            self.log.error("cannot start: %s", text)
        self._bus.uncork(wire.Envelope(kind=wire.READY, code=code, text=text[:500]))
        return code == 0

    async def _ask_findings(self, function, name):
        """Packed, as they go into READY and HEALTH."""
        findings = []
        try:
            if function is not None:
                findings = list(await _run(function) or ())
        except Exception:
            self.log.exception("%s failed", name)
            findings = [Finding("fault", f"{name} failed", "nobody knows how it is",
                                f"cairn plugin logs {self.name}")]
        return wire.Findings(supported=function is not None, findings=[
            finding._message() for finding in findings[:FINDINGS_MAX]]).pack()

    async def _answer_check(self):
        body = await self._ask_findings(self._check, "on_check")
        self._send(wire.Envelope(kind=wire.READY, body=body))
        return await self._leave(0)

    async def _tell_health(self, envelope_id):
        body = await self._ask_findings(self._health, "on_health")
        self._answer(wire.Envelope(kind=wire.HEALTH, id=envelope_id, body=body))

    async def _read(self):
        while True:
            self._dispatch(await self._bus.receive())

    def _dispatch(self, envelope):
        kind, running = envelope.kind, not self._stopping.is_set()
        if kind == wire.PING:
            self._answer(wire.Envelope(kind=wire.PONG, id=envelope.id))
        elif kind == wire.STOP:
            self._stopping.set()
        elif kind == wire.LOG_LEVEL and envelope.text in ("error", "warning", "info", "debug"):
            self.log.setLevel(envelope.text.upper())
        elif kind == wire.HEALTH and running:
            self._spawn(self._tell_health(envelope.id))
        elif kind == wire.REPLY:
            self._replied(envelope)
        elif kind == wire.CALL and running:
            self._call(envelope)
        elif kind == wire.JOB and running:
            for job in envelope.jobs:
                self._spawn(self._job(Job(job)))
        elif kind == wire.EVENT and running:
            self._event(envelope)
        elif kind == wire.CANCEL and envelope.id in self._requests:
            self._requests[envelope.id].cancel()

    async def _end(self, reader):
        """Lets what is under way finish, stops, and waits until the kernel has read it all."""
        for task in self._timers:
            task.cancel()
        while self._tasks:
            await asyncio.wait({reader, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
        if self._stop is not None:
            try:
                await _run(self._stop)
            except Exception:
                self.log.exception("stop failed, ignoring")
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        self._answer(wire.Envelope(kind=wire.STOPPED))
        return await self._leave(0)

    async def _leave(self, status):
        try:
            async with asyncio.timeout(LEAVE_S):
                while (await self._bus.receive()).kind != wire.STOP:
                    pass
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            pass
        return status

    # ---- traffic ----

    def _spawn(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _send(self, envelope):
        self._bus.send(envelope)

    def _answer(self, envelope):
        self._bus.send(envelope, bus_module.ANSWERS_FACTOR)

    async def _ask(self, envelope, timeout):
        if len(self._waiting) >= CALLS_MAX:
            raise Error("ELIMIT", f"{CALLS_MAX} calls are under way")
        self._next_id += 1
        envelope.id = self._next_id
        future = asyncio.get_running_loop().create_future()
        self._send(envelope)
        self._waiting[envelope.id] = future
        try:
            reply = await asyncio.wait_for(future, timeout)
        except (asyncio.TimeoutError, asyncio.CancelledError) as error:
            self._answer(wire.Envelope(kind=wire.CANCEL, id=envelope.id))
            if isinstance(error, asyncio.CancelledError):
                raise
            raise Error("ETIMEOUT", "no answer before the deadline") from None
        finally:
            del self._waiting[envelope.id]
        if reply.code != 0:
            raise Error(reply.code, reply.text)
        return reply.body

    def _replied(self, envelope):
        future = self._waiting.get(envelope.id)
        if future is not None and not future.done():  # else it timed out meanwhile
            future.set_result(envelope)

    def _call(self, envelope):
        request = Request(self, envelope)
        handler = self._calls.get(envelope.subject)
        if handler is None:
            request._reply(CODES["EUNSUPPORTED"], f"nothing answers {envelope.subject[:100]} here")
        elif len(self._requests) >= REQUESTS_MAX or request.id in self._requests:
            request._reply(CODES["ELIMIT"], "too many requests at once")
        else:
            task = self._spawn(self._handle(handler, request))
            self._requests[request.id] = task
            task.add_done_callback(lambda _: self._requests.pop(request.id, None))
            task.add_done_callback(lambda _: request._reply(CODES["ECANCELLED"], "cancelled"))

    async def _handle(self, handler, request):
        try:
            answer = await _run(handler, request)
            request._reply(body=_body(answer))
        except asyncio.CancelledError:
            request._reply(CODES["ECANCELLED"], "cancelled")
        except Error as error:
            request._reply(CODES[error.code], error.text)
        except Exception as error:
            self.log.exception("%s%s failed at a call of %s (request %s)", self.name, VERSION_WORDS,
                               request.subject, request.request_id)
            request._reply(CODES["EINTERNAL"], f"the handler failed: {type(error).__name__}")

    async def _job(self, job):
        handler, reason = self._jobs.get(job.queue), None
        try:
            if handler is None:
                raise Retry("this plugin takes no such jobs")
            await _run(handler, job)
        except (Retry, Error) as error:
            reason = str(error)
        except asyncio.CancelledError:
            return  # we are leaving: the kernel gives it to the next incarnation
        except Exception as error:
            self.log.exception("%s%s failed at a job of %s (attempt %s)", self.name, VERSION_WORDS,
                               job.queue, job.attempt)
            reason = f"the handler failed: {type(error).__name__}"
        if reason is None:
            self._acknowledge(job.id)
        else:
            self._answer(wire.Envelope(kind=wire.JOB_RETRY, job_ids=[job.id], text=reason[:255]))

    def _acknowledge(self, job_id):
        """Those of one turn of the loop share an envelope."""
        self._done.append(job_id)
        if len(self._done) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self):
        done, self._done = self._done, []
        self._answer(wire.Envelope(kind=wire.JOB_DONE, job_ids=done))

    def _event(self, envelope):
        for pattern, function in self._events:
            if len(self._tasks) < EVENTS_MAX and matches(pattern, envelope.subject):
                self._spawn(self._deliver(function, envelope))

    async def _deliver(self, function, envelope):
        try:
            await _run(function, envelope.subject, envelope.body)
        except Exception:
            self.log.exception("the handler of the event %s failed", envelope.subject)


async def _run(function, *args):
    result = function(*args)
    return await result if inspect.isawaitable(result) else result


def _body(value):
    if value is None:
        return b""
    data = value.encode() if isinstance(value, str) else bytes(value)
    if len(data) > ANSWER_MAX:
        raise Error("ELIMIT", f"a body of {len(data)} bytes is too large")
    return data


def _subject(text):
    if not 0 < len(text.encode()) <= SUBJECT_MAX:
        raise Error("EINVAL", "a subject or queue takes 1 to 256 bytes")
    return text


class Config(dict):
    """The settings by dotted path, as the manifest declares them.  The wire does not tell a list of
    one from a text, so lists are read with list()."""

    def __init__(self, settings=()):
        super().__init__()
        self._lists = {}
        for item in settings:
            items = self._lists.setdefault(item.key, [])
            for value in (item.text, item.integer, item.number, item.boolean):
                if value is not None:
                    items.append(value)
                    self.setdefault(item.key, value)

    def list(self, key):
        return list(self._lists[key])
