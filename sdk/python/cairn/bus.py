# SPDX-License-Identifier: Apache-2.0
"""The connection to the kernel: one socket, one reader, bounded sending."""

import asyncio
import os
import socket
import struct

from . import wire
from .errors import Error

QUEUE_BYTES_MAX = 64 << 20
ANSWERS_FACTOR = 4  # replies and acknowledgements may go this far beyond
DIAL_S = 10
RETRY_S = 0.002


async def dial(path, kernel_pid):
    """The kernel listens only once it knows our pid, so the first attempts may find nobody."""
    end = asyncio.get_running_loop().time() + DIAL_S
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            if peer_of(sock) == kernel_pid:
                return sock
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        sock.close()
        if asyncio.get_running_loop().time() > end:
            raise ConnectionError("nobody whom we may talk to listens on the kernel's socket")
        await asyncio.sleep(RETRY_S)


def peer_of(sock):
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


class Bus:
    """Frames on a connected socket.  Used on the loop only."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._corked = None

    @classmethod
    async def open(cls, sock):
        sock.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=1 << 16)
        writer.write(wire.GREETING)
        return cls(reader, writer)

    async def greeting(self):
        if await self._reader.readexactly(len(wire.GREETING)) != wire.GREETING:
            raise wire.WireError("the other side does not speak pair0")

    async def receive(self):
        header = await self._reader.readexactly(wire.HEADER_BYTES)
        length = wire.frame_length(header)
        return wire.Envelope.unpack(await self._reader.readexactly(length))

    def send(self, envelope, factor=1):
        data = wire.frame(envelope.pack())
        if self._corked is not None:
            self._corked.append(data)
            return
        if self._writer.transport.get_write_buffer_size() > factor * QUEUE_BYTES_MAX:
            raise Error("ELIMIT", "the kernel does not take what is sent")
        self._writer.write(data)

    def cork(self):
        """What is sent from here on waits for uncork(), which lets `first` go before it."""
        self._corked = []

    def uncork(self, first):
        waiting, self._corked = self._corked, None
        self.send(first, ANSWERS_FACTOR)
        for data in waiting:
            self._writer.write(data)

    async def close(self):
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass


def from_environment():
    """Where the kernel is: what cairn-host says to an interpreter."""
    try:
        return (os.environ["CAIRN_SOCKET"], os.environ["CAIRN_PLUGIN"],
                int(os.environ["CAIRN_KERNEL"]))
    except (KeyError, ValueError):
        raise SystemExit("this is a Cairn plugin: the kernel starts it (cairn plugin enable), and "
                         "cairn.testing runs it in a test") from None
