# SPDX-License-Identifier: Apache-2.0
"""Runs what a document says: ```sh blocks, in order, in one shell that stops at the first failure,
and ```c NAME blocks, which are written to files first.  What builds Cairn is left out (it is built),
/tmp becomes the test's own folder, and a node that was put in the background gets the moment that a
person would take to type the next command.  run.py DOCUMENT"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["CAIRN_BIN"]).resolve()


def main():
    text = (ROOT / sys.argv[1]).read_text()
    work = pathlib.Path(tempfile.mkdtemp(prefix="cairn-docs-"))
    script = ["set -eum", f"cd {work}", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for language, name, body in re.findall(r"^```(\w+) ?([\w.]*)\n(.*?)^```$", text, re.M | re.S):
        if language == "c":
            (work / name).write_text(body)
        elif language == "sh":
            lines = [l for l in body.split("\n") if "./packaging/" not in l and "build/" not in l]
            script.append("\n".join(l + ("\nsleep 2" if l == "cairn run &" else "") for l in lines)
                          .replace("/tmp/", f"{work}/"))
    env = dict(os.environ, CAIRN=str(ROOT), PATH=f"{BIN}:{os.environ['PATH']}", HOME=str(work),
               CAIRN_HOME=str(work / "hospital"))
    done = subprocess.run(["bash", "-x", "-c", "\n".join(script)], env=env,
                          stdin=subprocess.DEVNULL, start_new_session=True)
    shutil.rmtree(work, ignore_errors=True)
    sys.exit(done.returncode)


main()
