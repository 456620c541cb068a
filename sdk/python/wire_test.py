# SPDX-License-Identifier: Apache-2.0
"""The codec and the framing, against google's protobuf where it is installed."""

import random
import struct
import unittest

from cairn import wire


def random_envelope(rng):
    word = lambda: "".join(rng.choice("abc.é☃") for _ in range(rng.randrange(8)))
    blob = lambda: rng.randbytes(rng.randrange(20))
    return wire.Envelope(
        kind=rng.randrange(17), id=rng.getrandbits(64), subject=word(),
        timeout_ms=rng.getrandbits(32), code=rng.randrange(-40, 3), text=word(), body=blob(),
        context=wire.Context(principal=wire.Principal(name=word(), role=word()), purpose=word()),
        obligations=[wire.Obligation(name=word(), value=rng.randrange(-2**63, 2**63))],
        jobs=[wire.Job(id=rng.getrandbits(64), queue=word(), key=word(), body=blob(),
                       attempt=rng.randrange(9)) for _ in range(rng.randrange(3))],
        job_ids=[rng.getrandbits(64) for _ in range(rng.randrange(4))])


class WireTest(unittest.TestCase):
    def test_what_is_packed_unpacks_to_the_same(self):
        rng = random.Random(1)
        for _ in range(500):
            envelope = random_envelope(rng)
            self.assertEqual(repr(wire.Envelope.unpack(envelope.pack())), repr(envelope))

    def test_bytes_that_are_no_utf8_come_back_as_they_were(self):
        job = wire.Job.unpack(wire.Job(key=b"\xff\xfe".decode("utf-8", "surrogateescape")).pack())
        self.assertEqual(wire.Job.unpack(job.pack()).pack(), b"\x1a\x02\xff\xfe")

    def test_unknown_fields_are_skipped(self):
        extra = b"\xf8\x07\x05" + b"\xfa\x07\x02hi" + b"\xf9\x07" + bytes(8) + b"\xfd\x07" + bytes(4)
        self.assertEqual(wire.Envelope.unpack(extra + wire.Envelope(kind=4, id=9).pack()).id, 9)

    def test_unpacked_repeated_numbers_are_read(self):
        self.assertEqual(wire.Envelope.unpack(b"\x60\x07\x60\x08").job_ids, [7, 8])

    def test_malformed_bytes_are_refused(self):
        for name, data in {
                "a field longer than its message": b"\x1a\x05abc",
                "a number without end": b"\x08" + b"\xff" * 11,
                "a number that is cut": b"\x08\x80",
                "a group": b"\x0b",
                "wire type 7": b"\x0f",
                "field number 0": b"\x00\x00",
                "a text where a number belongs": b"\x0a\x01a",
                "a number where a text belongs": b"\x18\x01",
                "a double that is cut": b"\x3a\x05\x0a\x01a\x21\x00",
                "a nested field longer than its message": b"\x2a\x03\x0a\x09a",
                "a length of 2^63": b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"}.items():
            with self.subTest(name), self.assertRaises(wire.WireError):
                wire.Envelope.unpack(data)

    def test_random_bytes_raise_nothing_else(self):
        rng = random.Random(2)
        for _ in range(5000):
            data = bytearray(random_envelope(rng).pack())
            for _ in range(rng.randrange(1, 4)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                wire.Envelope.unpack(bytes(data[:rng.randrange(len(data) + 1)]))
            except wire.WireError:
                pass

    def test_a_frame_beyond_the_maximum_is_refused_before_it_is_read(self):
        self.assertEqual(wire.frame_length(b"\x01" + struct.pack(">Q", 16 << 20)), 16 << 20)
        with self.assertRaises(wire.WireError):
            wire.frame_length(b"\x01" + struct.pack(">Q", (16 << 20) + 1))
        with self.assertRaises(wire.WireError):
            wire.frame_length(b"\x02" + struct.pack(">Q", 1))
        with self.assertRaises(wire.WireError):
            wire.frame(bytes((16 << 20) + 1))

    def test_a_secret_is_not_shown(self):
        self.assertNotIn("hidden", repr(wire.Welcome(secrets=[wire.Secret(name="k",
                                                                           value=b"hidden")])))


if __name__ == "__main__":
    unittest.main()
