# SPDX-License-Identifier: Apache-2.0
"""A guarded question through a whole node (control socket, guard, ledger on disk, engine, answer)
against the same node's unguarded call, interleaved on one connection each.

    CAIRN_BIN=build/release/bin /usr/bin/python3 tests/bench/guarded_call.py
"""

import pathlib
import socket
import statistics
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Node  # noqa: E402


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def call(subject, body=b"", purpose=b""):
    """An Envelope: kind CALL (8), id 1, subject, timeout, context, body."""
    out = b"\x08\x08\x10\x01" + field(3, subject) + b"\x20" + varint(10000)
    if purpose:
        out += field(5, field(2, purpose))
    out += field(10, body) if body else b""
    return struct.pack(">I", len(out)) + out


def ask(sock, frame):
    begin = time.perf_counter()
    sock.sendall(frame)
    head = sock.recv(4, socket.MSG_WAITALL)
    sock.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)
    return (time.perf_counter() - begin) * 1e3


def main():
    everyone = field(1, b"\x08\x06")  # CountRequest: expression ALL
    frames = {"unguarded (hello.greet)": call(b"hello.greet"),
              "guarded (cohort.count)": call(b"cohort.count", everyone, b"operations")}
    with Node(plugins=("cohort", "hello")) as node:
        node.start()
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(node.home / "run/control.sock"))
        times = {name: [] for name in frames}
        for _ in range(1000):
            for name, frame in frames.items():
                times[name].append(ask(sock, frame))
        sock.close()
        print("round trip, ms           p50     p99")
        for name, values in times.items():
            values.sort()
            print(f"{name:24} {statistics.median(values):6.2f}  {values[990]:6.2f}")


main()
