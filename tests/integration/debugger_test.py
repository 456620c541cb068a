# SPDX-License-Identifier: Apache-2.0
"""`cairn plugin run --debugger gdb` on a terminal: breakpoints in a plugin that is not loaded yet,
Ctrl-C for the debugger alone, and an orderly end."""

import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import BIN, ROOT, contains, equal, main, need_program

LIMIT_S = 90


class Terminal:
    """A program on a terminal of its own; a context manager that leaves nothing behind."""

    def __init__(self, *command):
        self.said = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(DEBUGINFOD_URLS="", TERM="dumb")
            os.execv(command[0], command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid != 0:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self):
        """What comes within a moment; False at its end."""
        if not select.select([self.fd], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.said += data.decode(errors="replace")
        return bool(data)

    def expect(self, words):
        """Reads on until `words` come, and gives what stood before them."""
        end = time.monotonic() + LIMIT_S
        while words not in self.said:
            if not self.read() or time.monotonic() > end:
                raise AssertionError(f"expected {words!r}, found {self.said!r}")
        before, _, self.said = self.said.partition(words)
        return before

    def type(self, line):
        os.write(self.fd, line.encode() + (b"" if line == "\x03" else b"\n"))

    def end(self):
        end = time.monotonic() + LIMIT_S
        while self.read() and time.monotonic() < end:
            pass
        status, self.pid = os.waitpid(self.pid, 0)[1], 0
        return os.waitstatus_to_exitcode(status)


def debug(run, *args):
    need_program("gdb")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cairn-gdb-"))
    try:
        subprocess.run(["cc", "-g", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden",
                        f"-I{ROOT}/sdk/include", "-o", str(folder / "hello.so"),
                        str(ROOT / "sdk/examples/hello/hello.c")], check=True)
        with Terminal(str(BIN / "cairn"), "plugin", "run", str(folder / "hello.so"), "--debugger",
                      "gdb", *args) as terminal:
            run(terminal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_breakpoint_in_a_callback_is_hit_and_the_call_is_answered():
    def run(terminal):
        terminal.expect("THE SANDBOX IS OFF")
        for line in ("set pagination off", "break cairn_reply", "continue"):
            terminal.expect("(gdb) ")
            terminal.type(line)
        terminal.expect("hit Breakpoint 1")
        terminal.expect("(gdb) ")
        terminal.type("bt")
        contains(terminal.expect("(gdb) "), "hello.c", "the plugin is on the stack")
        terminal.type("continue")
        terminal.expect("exited normally")
        terminal.expect("(gdb) ")
        terminal.type("quit")
        equal(terminal.end(), 0, "the exit status")
    debug(run, "--call", "hello.greet")


def test_control_c_is_the_debuggers_and_leaving_it_stops_the_plugin():
    def run(terminal):
        terminal.expect("(gdb) ")
        terminal.type("set pagination off")
        terminal.expect("(gdb) ")
        terminal.type("continue")
        terminal.expect("did not ask for confinement")
        time.sleep(1)  # whenever it comes, it must be the debugger that hears it
        terminal.type("\x03")
        terminal.expect("received signal SIGINT")
        terminal.expect("(gdb) ")
        terminal.type("quit")
        terminal.expect("Quit anyway?")
        terminal.type("y")
        equal(terminal.end(), 0, "the exit status")
    debug(run)


def test_leaving_it_at_once_is_said():
    def run(terminal):
        terminal.expect("(gdb) ")
        terminal.type("kill")
        terminal.expect("(y or n)")
        terminal.type("y")
        terminal.expect("(gdb) ")
        terminal.type("quit")
        equal(terminal.end(), 1, "the exit status")
    debug(run)


main(globals())
