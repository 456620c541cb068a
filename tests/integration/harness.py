# SPDX-License-Identifier: Apache-2.0
"""What every integration test needs: a node of its own in a temporary home, the `cairn` command, a
small Storage SCU, and checks that say what was expected.

Run by ctest with CAIRN_BIN (the build's bin folder) and CAIRN_SHARED in the environment.  A test is
a function whose name begins with `test_`; main() runs them and exits 77 when all were skipped.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

BIN = pathlib.Path(os.environ.get("CAIRN_BIN", "build/debug/bin")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("CAIRN_SHARED", ROOT.parent / "shared"))
RESEARCHER = "alice@example.org"


class Skip(Exception):
    """Why a test cannot run here."""


def need(path):
    """The path, or the test is skipped by name."""
    if not pathlib.Path(path).exists():
        raise Skip(f"{path} is not here")
    return pathlib.Path(path)


def need_program(name):
    if shutil.which(name) is None:
        raise Skip(f"{name} is not installed")
    return name


def wait_for(what, seconds, condition):
    """Polls until condition() is true; the value, or an error that says what did not happen."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """A node in a temporary home; a context manager that stops and removes it."""

    def __init__(self, plugins=("dicom", "cohort"), settings=None, node_settings=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cairn-it-"))
        self.dir.chmod(0o711)  # run as root, each plugin has a user of its own, who must get in
        self.home = self.dir / "home"
        self.process = None
        self.port = free_port()
        self.cairn("init", str(self.home), "--name", "Test Hospital", home=False)
        if "dicom" in plugins:
            self.set("plugins/available/dicom.yaml", "port", self.port)
        for key, value in (settings or {}).items():
            self.set("plugins/available/dicom.yaml", key, value)
        for key, value in (node_settings or {}).items():
            self.set("node.yaml", key, value)
        if plugins:
            self.cairn("plugin", "enable", *plugins)

    def set(self, file, key, value):
        """Sets a top-level or one-deep (`deid.options`) key of a generated YAML file, by taking the
        comment signs away as a person would."""
        path = self.home / file
        lines = path.read_text().splitlines()
        group, _, name = key.rpartition(".")
        found = False
        for index, line in enumerate(lines):
            bare = line.lstrip("#").strip()
            if group and bare == group + ":":
                lines[index] = group + ":"
            elif bare.startswith(name + ":") and not found:
                lines[index] = ("  " if group else "") + f"{name}: {value}"
                found = True
        if not found:
            raise AssertionError(f"{file} has no key {key}")
        path.write_text("\n".join(lines) + "\n")

    def cairn(self, *args, home=True, status=0, timeout=120):
        """Runs `cairn`; checks the exit status (None: any) and gives standard output."""
        command = [str(BIN / "cairn")] + (["--home", str(self.home)] if home else []) + list(args)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        self.stderr = done.stderr
        self.status = done.returncode
        if status is not None and done.returncode != status:
            raise AssertionError(f"{' '.join(command)}\nexit {done.returncode}, expected {status}\n"
                                 f"{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *args, status=0, timeout=120):
        return json.loads(self.cairn("--json", *args, status=status, timeout=timeout))

    def start(self, wait=True):
        self.log = open(self.dir / "node.log", "ab")
        self.process = subprocess.Popen([str(BIN / "cairnd"), "--home", str(self.home)],
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        if wait:
            self.wait_ready()
        return self

    def plugin(self, name):
        status = self.json("status", status=None)
        return next((p for p in status.get("plugins", []) if p["name"] == name), {})

    def wait_ready(self, seconds=60):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the node ended:\n{(self.dir / 'node.log').read_text()}")
            plugins = self.json("status", status=None).get("plugins", [])
            return plugins and all(p["state"] == "ready" for p in plugins)
        wait_for("node ready", seconds, ready)

    def stop(self, seconds=60):
        """Orderly; the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process = None
        self.log.close()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None
        self.log.close()

    def indexed(self, seconds=60):
        """Waits until no fact is on its way; the number of indexed instances."""
        last = [None]

        def settled():
            queues = self.json("status").get("queues", [])
            waiting = sum(q["ready"] + q["taken"] for q in queues)
            # Refused while facts are handed over again to a new index.
            answer = self.count("*", level="instances", status=None)
            count = answer["count"] if self.status == 0 else None
            same = count is not None and waiting == 0 and count == last[0]
            last[0] = count
            time.sleep(0.5)  # longer than the connector gathers facts for a batch
            return same
        wait_for("facts indexed", seconds, settled)
        return last[0]

    def count(self, expression, purpose="operations", level="patients", status=0, **options):
        args = ["count", expression, "--purpose", purpose, "--level", level]
        for key, value in options.items():
            args += [f"--{'as' if key == 'who' else key}", value]
        return self.json(*args, status=status)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if self.process is not None and self.process.poll() is None:
                if kind is None:
                    equal(self.stop(), 0, "the node's exit status")
                else:
                    self.process.kill()
                    self.process.wait()
        finally:
            if kind is not None:
                for log in [self.dir / "node.log", *sorted((self.home / "log").glob("*.log"))]:
                    if log.exists():
                        tail = log.read_text(errors="replace").splitlines()[-40:]
                        print(f"--- {log.name}\n" + "\n".join(tail))
            shutil.rmtree(self.dir, ignore_errors=True)


def synth(dir, patients, seed=7, **options):
    args = [str(BIN / "cairn"), "synth", str(dir), "--patients", str(patients), "--seed", str(seed)]
    for key, value in options.items():
        args += [f"--{key}", str(value)]
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)
    return sorted(pathlib.Path(dir).glob("*.dcm"))


def storescu(node, dir, *options, status=0):
    done = subprocess.run(["storescu", "+sd", "-aec", "CAIRN", *options, "127.0.0.1", str(node.port),
                           str(dir)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    equal(done.returncode, status, "storescu's exit status\n" + done.stderr[-2000:])
    return done.stderr


# ---- a small Storage SCU ------------------------------------------------------------------------

def item(kind, data):
    return struct.pack(">BBH", kind, 0, len(data)) + data


def association_request(abstract, transfer, called="CAIRN", calling="TESTSCU", version=1):
    body = struct.pack(">HH", version, 0) + called.encode().ljust(16) + calling.encode().ljust(16)
    body += bytes(32) + item(0x10, b"1.2.840.10008.3.1.1.1")
    context = struct.pack("BBBB", 1, 0, 0, 0) + item(0x30, abstract.encode())
    body += item(0x20, context + item(0x40, transfer.encode()))
    body += item(0x50, item(0x51, struct.pack(">I", 131072)) + item(0x52, b"2.25.1"))
    return struct.pack(">BBI", 1, 0, len(body)) + body


def element(tag, data):
    data += b"\0" * (len(data) & 1)
    return struct.pack("<HHI", 0, tag, len(data)) + data


def store_command(sop_class, sop_instance, message):
    body = element(0x0002, sop_class.encode()) + element(0x0100, struct.pack("<H", 1))
    body += element(0x0110, struct.pack("<H", message)) + element(0x0700, struct.pack("<H", 0))
    body += element(0x0800, struct.pack("<H", 0)) + element(0x1000, sop_instance.encode())
    return element(0x0000, struct.pack("<I", len(body))) + body


def pdata(flags, data):
    return struct.pack(">BBIIBB", 4, 0, len(data) + 6, len(data) + 2, 1, flags) + data


class Scu:
    """One association that stores data sets of one SOP class in explicit VR little endian."""

    def __init__(self, port, sop_class, transfer="1.2.840.10008.1.2.1", timeout=30, **options):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sop_class = sop_class
        self.message = 0
        self.socket.sendall(association_request(sop_class, transfer, **options))
        kind, body = self.receive()
        if kind != 2:
            raise ConnectionError(f"association not accepted: PDU type {kind}")

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("closed by the peer")
            data += part
        return data

    def receive(self):
        kind, _, length = struct.unpack(">BBI", self.exactly(6))
        return kind, self.exactly(length)

    def store(self, sop_instance, dataset):
        """The response's status."""
        self.message = self.message % 65000 + 1
        out = pdata(3, store_command(self.sop_class, sop_instance, self.message))
        for at in range(0, len(dataset), 65536):
            last = at + 65536 >= len(dataset)
            out += pdata(2 if last else 0, dataset[at:at + 65536])
        self.socket.sendall(out)
        kind, body = self.receive()
        if kind != 4:
            raise ConnectionError(f"PDU type {kind} instead of a response")
        at = body.find(b"\x00\x00\x00\x09\x02\x00\x00\x00")
        return struct.unpack("<H", body[at + 8:at + 10])[0]

    def close(self):
        try:
            self.socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))
            self.socket.settimeout(2)
            self.socket.recv(64)
        except OSError:
            pass
        self.socket.close()


def read_part10(path):
    """(SOP class, SOP instance, data set bytes) of a file that `cairn synth` made."""
    import pydicom
    data = pathlib.Path(path).read_bytes()
    meta = pydicom.filereader.read_file_meta_info(str(path))
    start = 132 + 12 + meta.FileMetaInformationGroupLength
    return str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), data[start:]


# ---- checks and the runner ----------------------------------------------------------------------

def equal(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what}: expected {part!r} in:\n{text}")


def main(namespace):
    names = [n for n in namespace if n.startswith("test_")]
    wanted = sys.argv[1:] or names
    failed = skipped = 0
    for name in wanted:
        begin = time.monotonic()
        try:
            namespace[name]()
            print(f"ok      {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Skip as reason:
            skipped += 1
            print(f"skipped {name}: {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc()
    if failed:
        sys.exit(1)
    sys.exit(77 if skipped == len(wanted) else 0)
