# SPDX-License-Identifier: Apache-2.0
"""The plugin ABI stays: plugins compiled by earlier releases run, and what they rely on is still
there with the same numbers.  abi_test.py --list prints what symbols.txt should hold."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import BIN, ROOT, Node, equal, main, wait_for  # noqa: E402

RELEASES = sorted(p for p in HERE.iterdir() if p.is_dir() and p.name[0].isdigit())


def found_list():
    """What cairn-host exports to plugins, and what the header says of structs and numbers."""
    nm = subprocess.run(["nm", "-D", "--defined-only", BIN / "cairn-host"], capture_output=True,
                        text=True, check=True).stdout
    names = [line.split()[-1] for line in nm.splitlines() if line.split()[-2] in "TBDR"]
    lines = [f"symbol {name}" for name in sorted(names) if name.startswith("cairn_")]
    with tempfile.TemporaryDirectory() as work:
        program = pathlib.Path(work) / "layout"
        subprocess.run(["cc", "-std=c11", "-I", ROOT / "sdk/include", "-o", program,
                        HERE / "layout.c"], check=True)
        lines += subprocess.run([program], capture_output=True, text=True,
                                check=True).stdout.splitlines()
    return lines


def test_nothing_that_plugins_rely_on_is_gone_or_changed():
    known = [line for line in (HERE / "symbols.txt").read_text().splitlines() if line[:1] != "#"]
    found = found_list()
    gone = [line for line in known if line not in found]
    equal(gone, [], "gone or changed: this would break plugins that are out there")


def test_what_was_added_is_in_the_list():
    known = (HERE / "symbols.txt").read_text().splitlines()
    added = [line for line in found_list() if line not in known]
    equal(added, [], "new: once released it stays, so add these lines to tests/abi/symbols.txt")


class OldNode(Node):
    def __init__(self, release):
        super().__init__(plugins=())
        self.plugins = self.dir / "plugins"
        shutil.copytree(release, self.plugins)
        self.set("node.yaml", "plugin_dir", str(self.plugins))
        self.cairn("plugin", "enable", "hello", "counter")


def test_plugins_of_every_release_load_answer_and_stop():
    for release in RELEASES:
        with OldNode(release) as node:
            node.start()
            equal(node.cairn("call", "hello.greet").strip(), "hello", f"{release.name} hello")
            equal(node.cairn("call", "counter.put").strip(), "put", f"{release.name} counter")
            wait_for(f"{release.name}: one job and one answer", 20, lambda:
                     node.cairn("call", "counter.get").strip() == "jobs 1 events 0 puts 1")
            equal(node.stop(), 0, f"{release.name}: the exit status of an orderly stop")


if sys.argv[1:] == ["--list"]:
    print("\n".join(found_list()))
else:
    main(globals())
