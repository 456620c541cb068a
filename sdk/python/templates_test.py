# SPDX-License-Identifier: Apache-2.0
"""Every template in Python, Lua and shell: `cairn plugin new` makes a project whose own tests pass
without a node.  CAIRN_BIN names the programs."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["CAIRN_BIN"]).resolve()
NAMES = sorted(d.name for d in (ROOT / "sdk/templates").iterdir()
               if d.name.split("-")[0] in ("python", "lua", "sh") and not d.name.endswith("common"))


class TemplatesTest(unittest.TestCase):
    def run_in(self, folder, *command, **options):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}"), **options)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def runs(self, folder, kind):
        """In a node, as its README says."""
        log = open(f"{folder}/log", "wb")
        node = subprocess.Popen([BIN / "cairn", "--home", f"{folder}/node", "run"], stderr=log,
                                stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 30
            while "ready" not in self.run_in(folder, "sh", "-c", "cairn --home node plugin info "
                                             "my-plugin | grep -w state"):
                self.assertLess(time.monotonic(), end, open(f"{folder}/log").read())
                time.sleep(0.1)
            if kind != "sink":
                subject = {"engine": "ask", "policy": "decide", "connector": "receive"}[kind]
                said = self.run_in(folder, "cairn", "--home", "node", "call", f"my-plugin.{subject}",
                                   "hello", "--purpose", "operations")
                if kind == "policy":
                    self.assertEqual(said.strip(), "permit")
        finally:
            node.terminate()
            self.assertEqual(node.wait(30), 0)
            log.close()

    def test_there_is_one_for_each_language_and_kind(self):
        self.assertEqual(NAMES, sorted(f"{lang}-{kind}" for lang in ("lua", "python", "sh")
                                       for kind in ("connector", "engine", "policy", "sink")))

    def test_new_projects_pass_their_tests_and_can_be_enabled(self):
        for name in NAMES:
            lang, kind = name.split("-")
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                self.run_in(folder, "cairn", "plugin", "new", "my-plugin", "--kind", kind, "--lang",
                            lang, "--dir", f"{folder}/p")
                self.run_in(f"{folder}/p", "/usr/bin/python3", "-B", "my-plugin_test.py")
                self.run_in(folder, "cairn", "init", "node", "--plugin-dir", "p")
                (pathlib.Path(folder) / "node/policies/50-my-plugin.lua").write_text(
                    (pathlib.Path(folder) / "p/policy.lua").read_text())
                self.run_in(folder, "cairn", "--home", "node", "plugin", "enable", "my-plugin",
                            "--yes")
                self.run_in(folder, "cairn", "--home", "node", "check")
                self.runs(folder, kind)


if __name__ == "__main__":
    unittest.main()
