# SPDX-License-Identifier: Apache-2.0
"""Manual pages: those that are built say what the programs and plugins say now, those that are
written say every option, and all are read by man without a complaint."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["CAIRN_BIN"]).resolve()
MAN = BIN.parent / "share" / "man"
PLUGINS = ("cohort", "dicom", "hl7v2")


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout


def page_now(plugin):
    return run(BIN / "cairn", "man", BIN.parent / "lib/cairn/plugins" / f"{plugin}.so", "--document",
               ROOT / "plugins" / plugin / f"{plugin}.md")


def tags(page, section):
    """What is bold at the head of the paragraphs of a section."""
    body = page.split(f'.SH "{section}"\n' if f'.SH "{section}"' in page else f".SH {section}\n")[1]
    body = body.split("\n.SH ")[0]
    return {t.replace("\\-", "-") for t in re.findall(r'^\.TP\n\.B "?([^"\n]*)', body, re.M)}


class ManTest(unittest.TestCase):
    def test_the_page_of_a_plugin_is_of_its_manifest_and_document(self):
        for plugin in PLUGINS:
            self.assertEqual((MAN / "man7" / f"cairn-{plugin}.7").read_text(), page_now(plugin),
                             f"the page of {plugin} is stale")

    def test_the_page_of_cairn_is_of_its_commands(self):
        page = (MAN / "man1/cairn.1").read_text()
        self.assertEqual(page, run(BIN / "cairn", "man"))
        named = {c.replace("\\-", "-") for c in re.findall(r"^\.B cairn (.+)$", page, re.M)}
        listed = set(re.findall(r"^  ([a-z][a-z-]*(?: [a-z][a-z-]*)?)  +\S", run(BIN / "cairn", "--help"),
                                re.M)) - {"synth"}
        self.assertTrue(listed)
        self.assertEqual(listed - named, set())

    def test_a_document_explains_every_setting_and_no_other(self):
        for plugin in PLUGINS:
            text = (ROOT / "plugins" / plugin / f"{plugin}.md").read_text()
            declared = tags(page_now(plugin), "SETTINGS") - {"on_failure"}
            self.assertEqual({o for o in declared if f"`{o}`" not in text}, set(), f"{plugin}.md is stale")
            if "\n## Options\n" not in text:
                continue
            options = text.split("\n## Options\n")[1].split("\n## ")[0]
            documented = set(re.findall(r"^\| `([a-z][a-z_.]*)` \|", options, re.M))
            self.assertEqual(documented - declared - {"on_failure"}, set(), f"{plugin}.md is stale")

    def test_a_document_names_every_capability(self):
        for plugin in PLUGINS:
            text = (ROOT / "plugins" / plugin / f"{plugin}.md").read_text()
            for capability in tags(page_now(plugin), "CAPABILITIES"):
                self.assertIn(f"`{capability}`", text, f"{plugin}.md is stale")

    def test_cairnd_8_has_the_options_of_cairnd(self):
        shown = set(re.findall(r"^  (--[a-z]+)", run(BIN / "cairnd", "--help"), re.M))
        page = (MAN / "man8/cairnd.8").read_text().replace("\\-", "-")
        self.assertEqual(shown | {"--help"}, set(re.findall(r"^\.B (--[a-z]+)", page, re.M)))

    def test_man_reads_every_page_without_a_warning(self):
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed")
        pages = sorted(MAN.glob("man?/*"))
        self.assertGreaterEqual(len(pages), 6)
        for page in pages:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", str(page)],
                                  capture_output=True, text=True)
            self.assertEqual(done.stdout + done.stderr, "", page.name)
            if shutil.which("mandoc"):
                subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(page)], check=True)


if __name__ == "__main__":
    unittest.main()
