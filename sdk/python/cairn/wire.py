# SPDX-License-Identifier: Apache-2.0
"""The bytes of the bus: pair0 framing over a Unix socket and the protobuf messages of
proto/cairn/bus.proto, with a codec of our own so that nothing needs to be installed.

Whatever the peer sends is checked: a length that runs past its end, a wire type that a field cannot
have, a group, a varint that never ends and a frame beyond MESSAGE_MAX are all a WireError.  Unknown
fields are skipped.  Nesting is bounded by the schema, which has no recursion.
"""

import struct

GREETING = b"\0SP\0\0\x10\0\0"
MESSAGE_MAX = 16 << 20
HEADER_BYTES = 9

(NONE, HELLO, WELCOME, READY, PING, PONG, STOP, STOPPED, CALL, REPLY, PROGRESS, CANCEL, EVENT,
 JOB_PUT, JOB, JOB_DONE, JOB_RETRY, LOG_LEVEL, HEALTH) = range(19)


class WireError(Exception):
    """The peer broke the protocol."""


# ---- protobuf -----------------------------------------------------------------------------------

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MASK64 = (1 << 64) - 1


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a number has no end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & MASK64, at
        shift += 7


def signed(value, bits=64):
    return value - (1 << bits) if value >> (bits - 1) else value


class Kind:
    """How a field's value becomes bytes: its wire type, both directions, and its default."""

    def __init__(self, wire, encode, decode, default):
        self.wire, self.encode, self.decode, self.default = wire, encode, decode, default


def _text(value):
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)


# A key or text may hold bytes that are no UTF-8: surrogateescape gives them back as they came.
UINT32 = Kind(VARINT, lambda v: varint(v & 0xFFFFFFFF), lambda v: v & 0xFFFFFFFF, 0)
UINT64 = Kind(VARINT, lambda v: varint(v & MASK64), lambda v: v, 0)
INT64 = Kind(VARINT, lambda v: varint(v & MASK64), signed, 0)
SINT32 = Kind(VARINT, lambda v: varint((v << 1 ^ v >> 31) & 0xFFFFFFFF),
              lambda v: (v & 0xFFFFFFFF) >> 1 ^ -(v & 1), 0)
BOOL = Kind(VARINT, lambda v: varint(int(bool(v))), bool, False)
DOUBLE = Kind(FIXED64, lambda v: struct.pack("<d", v), lambda v: struct.unpack("<d", v)[0], 0.0)
TEXT = Kind(LENGTH, _text, lambda v: v.decode("utf-8", "surrogateescape"), "")
BYTES = Kind(LENGTH, bytes, bytes, b"")


class Field:
    def __init__(self, number, kind, repeated=False, oneof=False):
        self.number, self.kind, self.repeated, self.oneof = number, kind, repeated, oneof
        self.message = isinstance(kind, type)
        self.wire = LENGTH if self.message else kind.wire

    def default(self):
        if self.repeated:
            return []
        return None if self.message or self.oneof else self.kind.default

    def encode_one(self, value):
        data = value.pack() if self.message else self.kind.encode(value)
        key = varint(self.number << 3 | self.wire)
        return key + varint(len(data)) + data if self.wire == LENGTH else key + data

    def encode(self, value):
        if self.repeated:
            if not value:
                return b""
            if self.wire == LENGTH:
                return b"".join(map(self.encode_one, value))
            data = b"".join(map(self.kind.encode, value))  # packed, as proto3 writes numbers
            return varint(self.number << 3 | LENGTH) + varint(len(data)) + data
        if value is None or (not self.oneof and not self.message and value == self.kind.default):
            return b""
        return self.encode_one(value)


class Message:
    """Fields by name, with protobuf's defaults.  A subclass says `fields`."""

    fields = {}

    def __init__(self, **values):
        for name, field in self.fields.items():
            setattr(self, name, values.pop(name) if name in values else field.default())
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __repr__(self):
        shown = (f"{n}={getattr(self, n)!r}" for n, f in self.fields.items()
                 if getattr(self, n) != f.default())
        return f"{type(self).__name__}({', '.join(shown)})"

    def pack(self):
        return b"".join(f.encode(getattr(self, n)) for n, f in
                        sorted(self.fields.items(), key=lambda item: item[1].number))

    @classmethod
    def unpack(cls, data):
        self = cls()
        by_number = {field.number: (name, field) for name, field in cls.fields.items()}
        at, data = 0, memoryview(data)
        while at < len(data):
            key, at = read_varint(data, at)
            value, at = _read_value(data, at, key & 7)
            if key >> 3 == 0 or key >> 3 > 0x1FFFFFFF:
                raise WireError("a field has no number")
            if key >> 3 in by_number:
                self._take(*by_number[key >> 3], key & 7, value)
        return self

    def _take(self, name, field, wire, value):
        if field.repeated and wire == LENGTH and field.wire == VARINT:
            at = 0
            while at < len(value):
                number, at = read_varint(value, at)
                getattr(self, name).append(field.kind.decode(number))
            return
        if wire != field.wire:
            raise WireError(f"field {field.number} has wire type {wire}")
        if field.message:
            value = field.kind.unpack(value)
        else:
            value = field.kind.decode(bytes(value) if wire == LENGTH else value)
        if field.repeated:
            getattr(self, name).append(value)
        else:
            setattr(self, name, value)


def _read_value(data, at, wire):
    if wire == VARINT:
        return read_varint(data, at)
    if wire == LENGTH:
        length, at = read_varint(data, at)
    elif wire == FIXED64:
        length = 8
    elif wire == FIXED32:
        length = 4
    else:
        raise WireError(f"wire type {wire}")
    if length > len(data) - at:
        raise WireError("a field is longer than its message")
    return data[at:at + length], at + length


class Principal(Message):
    fields = {"name": Field(1, TEXT), "role": Field(2, TEXT), "via": Field(3, TEXT),
              "asked_by": Field(4, TEXT)}


class Context(Message):
    fields = {"principal": Field(1, Principal), "purpose": Field(2, TEXT),
              "permit": Field(3, TEXT), "request_id": Field(4, TEXT)}


class Obligation(Message):
    fields = {"name": Field(1, TEXT), "value": Field(2, INT64)}


class Fulfilment(Message):
    fields = {"name": Field(1, TEXT), "value": Field(2, INT64)}


class Job(Message):
    fields = {"id": Field(1, UINT64), "queue": Field(2, TEXT), "key": Field(3, TEXT),
              "body": Field(4, BYTES), "attempt": Field(5, UINT32)}


class Setting(Message):
    fields = {"key": Field(1, TEXT), "text": Field(2, TEXT, oneof=True),
              "integer": Field(3, INT64, oneof=True), "number": Field(4, DOUBLE, oneof=True),
              "boolean": Field(5, BOOL, oneof=True), "empty_list": Field(6, BOOL)}


class Secret(Message):
    fields = {"name": Field(1, TEXT), "value": Field(2, BYTES)}

    def __repr__(self):
        return f"Secret(name={self.name!r})"


class Hello(Message):
    fields = {"wire_min": Field(1, UINT32), "wire_max": Field(2, UINT32), "plugin": Field(3, TEXT),
              "version": Field(4, TEXT), "abi": Field(5, UINT32), "pid": Field(6, UINT32)}


class Welcome(Message):
    fields = {"wire": Field(1, UINT32), "node_id": Field(2, TEXT), "project": Field(3, TEXT),
              "state_dir": Field(4, TEXT), "objects_dir": Field(5, TEXT),
              "intake_dir": Field(6, TEXT), "settings": Field(7, Setting, repeated=True),
              "secrets": Field(8, Secret, repeated=True), "heartbeat_ms": Field(9, UINT32),
              "check": Field(10, BOOL), "serving": Field(11, BOOL)}


class Finding(Message):
    fields = {"severity": Field(1, UINT32), "what": Field(2, TEXT), "why": Field(3, TEXT),
              "advice": Field(4, TEXT)}


class Findings(Message):
    fields = {"supported": Field(1, BOOL), "findings": Field(2, Finding, repeated=True)}


class Envelope(Message):
    fields = {"kind": Field(1, UINT32), "id": Field(2, UINT64), "subject": Field(3, TEXT),
              "timeout_ms": Field(4, UINT32), "context": Field(5, Context),
              "obligations": Field(6, Obligation, repeated=True),
              "fulfilments": Field(7, Fulfilment, repeated=True), "code": Field(8, SINT32),
              "text": Field(9, TEXT), "body": Field(10, BYTES),
              "jobs": Field(11, Job, repeated=True), "job_ids": Field(12, UINT64, repeated=True),
              "rule": Field(13, TEXT), "reason": Field(14, TEXT), "request_id": Field(15, TEXT)}


# ---- frames -------------------------------------------------------------------------------------

def frame(message):
    """One message as it goes on the socket."""
    if len(message) > MESSAGE_MAX:
        raise WireError("a message is larger than 16 MiB")
    return b"\x01" + struct.pack(">Q", len(message)) + message


def frame_length(header):
    """How long the message behind these HEADER_BYTES is."""
    if header[0] != 1:
        raise WireError("a frame does not begin with 1")
    length, = struct.unpack(">Q", header[1:])
    if length > MESSAGE_MAX:
        raise WireError(f"a frame of {length} bytes; at most {MESSAGE_MAX} are allowed")
    return length
