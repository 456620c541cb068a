# SPDX-License-Identifier: Apache-2.0
"""Runs what a document says: ```sh blocks, in order, in one shell that stops at the first failure,
and blocks with a file's name (```c NAME), which are written first.  What builds Cairn is left out
(it is built), /tmp becomes the test's own folder, and a node that was put in the background gets
the moment that a person would take to type the next command.  run.py DOCUMENT [HEADING SECONDS]: that section alone,
which says how long it took, and may take so long."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["CAIRN_BIN"]).resolve()


def main():
    text = (ROOT / sys.argv[1]).read_text()
    if len(sys.argv) > 2:
        text = text.split(f"\n## {sys.argv[2]}\n")[1].split("\n## ")[0]
    work = pathlib.Path(tempfile.mkdtemp(prefix="cairn-docs-"))
    script = ["set -eum", f"cd {work}", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for language, name, body in re.findall(r"^```(\w+) ?([\w.-]*)\n(.*?)^```$", text, re.M | re.S):
        if language in ("c", "lua", "python", "yaml"):
            (work / name).write_text(body)
        elif language == "sh":
            lines = [l for l in body.split("\n") if "./packaging/" not in l and "build/release" not in l]
            script.append("\n".join(l + ("\nsleep 2" if l == "cairn run &" else "") for l in lines)
                          .replace("/tmp/", f"{work}/"))
    env = dict(os.environ, CAIRN=str(ROOT), PATH=f"{BIN}:{os.environ['PATH']}", HOME=str(work),
               CAIRN_HOME=str(work / "hospital"))
    began = time.monotonic()
    done = subprocess.run(["bash", "-x", "-c", "\n".join(script)], env=env,
                          stdin=subprocess.DEVNULL, start_new_session=True)
    shutil.rmtree(work, ignore_errors=True)
    took = time.monotonic() - began
    print(f"{sys.argv[2] if len(sys.argv) > 2 else sys.argv[1]}: {took:.1f} s")
    if len(sys.argv) > 2 and took > float(sys.argv[3]):
        sys.exit(f"that is more than {sys.argv[3]} s")
    sys.exit(done.returncode)


main()
