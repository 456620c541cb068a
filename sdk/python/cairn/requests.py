# SPDX-License-Identifier: Apache-2.0
"""What handlers are given."""

from . import wire
from .errors import Error

FULFILMENTS_MAX = 64
ANSWER_MAX = wire.MESSAGE_MAX - 65536  # leaves room for the fulfilments


class Finding:
    """One answer of on_check or on_health, for the operator at three in the morning."""

    SEVERITIES = ("fine", "warning", "fault")

    def __init__(self, severity, what, why="", advice=""):
        if severity not in self.SEVERITIES or not what:
            raise ValueError("a finding has a severity (fine, warning or fault) and words")
        self.severity, self.what, self.why, self.advice = severity, what, why, advice

    def _message(self):
        return wire.Finding(severity=self.SEVERITIES.index(self.severity), what=self.what[:255],
                            why=self.why[:255], advice=self.advice[:255])


class Request:
    """A call that waits for our answer.  Who asks and for what is as the kernel verified it."""

    def __init__(self, plugin, envelope):
        context = envelope.context or wire.Context()
        principal = context.principal or wire.Principal()
        self._plugin = plugin
        self._fulfilments = {}
        self._ended = False
        self.id = envelope.id
        self.subject = envelope.subject
        self.body = envelope.body
        self.timeout_ms = envelope.timeout_ms
        self.principal = principal.name
        self.role = principal.role
        self.via = principal.via
        self.asked_by = principal.asked_by
        self.purpose = context.purpose
        self.permit = context.permit
        self.request_id = context.request_id
        #: what the policy demands, by name: carry each out and say so with fulfil()
        self.obligations = {o.name: o.value for o in envelope.obligations}

    def fulfil(self, name, value):
        """Says that an obligation was carried out, and how strictly.  The kernel withholds an
        answer whose obligations were not all reported."""
        if len(self._fulfilments) >= FULFILMENTS_MAX and name not in self._fulfilments:
            raise Error("ELIMIT", "more than 64 fulfilments")
        self._fulfilments[name] = int(value)

    def progress(self, body):
        """Part of an answer on the way.  Not passed on where there are obligations."""
        if self._ended:
            raise Error("EINVAL", "the request has been answered")
        if len(body) > ANSWER_MAX:
            raise Error("ELIMIT", "the part is too large")
        self._plugin._send(wire.Envelope(kind=wire.PROGRESS, id=self.id, body=bytes(body)))

    def _reply(self, code=0, text="", body=b""):
        if self._ended:
            return
        self._ended = True
        if len(body) > ANSWER_MAX:
            code, text, body = -10, f"the answer of {len(body)} bytes is too large", b""
        done = [wire.Fulfilment(name=n, value=v) for n, v in self._fulfilments.items()]
        self._plugin._answer(wire.Envelope(kind=wire.REPLY, id=self.id, code=code, text=text[:500],
                                           body=body, fulfilments=done))


class Job:
    """A durable job.  At least once: the same key may come again after a crash."""

    def __init__(self, job):
        self.id = job.id
        self.queue = job.queue
        self.key = job.key
        self.body = job.body
        self.attempt = job.attempt
