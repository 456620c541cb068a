# SPDX-License-Identifier: Apache-2.0
"""Just enough protobuf to speak to a node's control socket without the `cairn` command."""

import getpass
import socket
import struct

CALL, REPLY, PROGRESS, CANCEL, EVENT, JOB_PUT, JOB_DONE = 8, 9, 10, 11, 12, 13, 15
EINVAL, EDENIED, ETIMEOUT, ECANCELLED, EUNAVAILABLE, ELIMIT = -1, -6, -7, -8, -9, -10
EINTERNAL, EFORBIDDEN = -15, -16
ME = "local:" + getpass.getuser()


def varint(value):
    out = b""
    while True:
        out += bytes([value & 127 | (128 if value > 127 else 0)])
        value >>= 7
        if not value:
            return out


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def text(field, value):
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data if data else b""


def envelope(kind, id=0, subject="", body=b"", timeout_ms=0, principal="", purpose="", permit="",
             code=0, job_ids=(), more=b""):
    context = text(1, text(1, principal)) + text(2, purpose) + text(3, permit)
    zigzag = (code << 1) ^ (code >> 63)
    return (number(1, kind) + number(2, id) + text(3, subject) + number(4, timeout_ms) +
            text(5, context) + number(8, zigzag) + text(10, body) +
            text(12, b"".join(varint(i) for i in job_ids)) + more)


def parse(data):
    """{field: value}, of repeated ones the last."""
    fields, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        tag = take()
        if tag & 7 == 0:
            fields[tag >> 3] = take()
        else:
            length = take()
            fields[tag >> 3] = data[at:at + length]
            at += length
    return fields


class Answer:
    def __init__(self, data):
        fields = parse(data)
        self.fields = fields
        self.kind = fields.get(1, 0)
        self.id = fields.get(2, 0)
        code = fields.get(8, 0)
        self.code = (code >> 1) ^ -(code & 1)
        self.text = fields.get(9, b"").decode()
        self.body = fields.get(10, b"")
        self.rule = fields.get(13, b"").decode()
        self.reason = fields.get(14, b"").decode()
        self.request_id = fields.get(15, b"").decode()


class Control:
    """One connection to a node's control socket; a context manager."""

    def __init__(self, node, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(node.home / "run/control.sock"))
        self.socket.settimeout(timeout)
        self.id = 0

    def send(self, data):
        self.socket.sendall(struct.pack(">I", len(data)) + data)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("closed by the node")
            data += part
        return data

    def receive(self):
        return Answer(self.exactly(struct.unpack(">I", self.exactly(4))[0]))

    def start(self, subject, body=b"", **options):
        """Sends a call; its id."""
        self.id += 1
        self.send(envelope(CALL, self.id, subject, body, **options))
        return self.id

    def call(self, subject, body=b"", **options):
        """The reply to a call, everything before it forgotten."""
        id = self.start(subject, body, **options)
        while True:
            answer = self.receive()
            if answer.kind == REPLY and answer.id == id:
                return answer

    def is_closed(self):
        """Reads until the node closes the connection; False when it does not in time."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def silent_for(self, seconds):
        """Whether nothing comes within that time."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b"never"
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(before)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
