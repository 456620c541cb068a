# SPDX-License-Identifier: Apache-2.0
"""Damaged, missing and badly kept files of a home: a node that cannot start says which file and what
to do, exits with 1, and has made nothing worse; it starts again once the file is as it was."""

import hashlib
import shutil

from load import CT, Instances, LoadedNode
from harness import Scu, contains, equal, main


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


class Filled(LoadedNode):
    """A node that has stored and recorded something, and was stopped."""

    def __enter__(self):
        self.start()
        instances = Instances(self.dir / "made")
        scu = Scu(self.port, CT)
        self.stored = [instances.store(number) for number in range(1, 21)]
        for uid, dataset in self.stored:
            equal(scu.store(uid, dataset), 0, "a store's status")
        scu.close()
        self.indexed()
        equal(self.stop(), 0, "exit status")
        shutil.copytree(self.home, self.dir / "good", symlinks=True)
        return self

    def refuses_to_start(self, file, *words):
        """The last line names the file and holds the words; the file stays as it is."""
        path = self.home / file
        before = digest(path)
        self.start(wait=False)
        equal(self.process.wait(30), 1, f"exit status with a bad {file}")
        self.process = None
        said = (self.dir / "node.log").read_text().splitlines()[-1]
        print(f"        {said}")
        contains(said, "cairnd: the node did not start: ", "the message")
        for word in words:
            contains(said, word, "the message")
        equal(digest(path), before, f"{file} after the refused start")

    def repair(self):
        """The good home again, and everything is there."""
        shutil.rmtree(self.home)
        shutil.copytree(self.dir / "good", self.home, symlinks=True)
        self.start()
        equal(self.indexed(), len(self.stored), "instances after the repair")
        equal(self.json("ledger", "verify")["intact"], True, "the ledger")

    def change(self, file, offset, data):
        with open(self.home / file, "r+b") as opened:
            opened.seek(offset)
            opened.write(data)


def truncate(path, length):
    with open(path, "r+b") as file:
        file.truncate(length)


def test_a_database_whose_head_is_overwritten_is_named():
    for name in ("ledger", "jobs"):
        with Filled() as node:
            file = f"state/kernel/{name}/data.mdb"
            node.change(file, 0, b"\xa5" * 8192)
            node.refuses_to_start(file, f"state/kernel/{name}")
            node.repair()


def test_a_database_that_is_cut_off_is_named():
    for name in ("ledger", "jobs"):
        with Filled() as node:
            file = f"state/kernel/{name}/data.mdb"
            truncate(node.home / file, 9000)
            node.refuses_to_start(file, f"state/kernel/{name}")
            node.repair()


def test_a_damaged_node_yaml_is_named_with_its_line():
    with Filled() as node:
        text = (node.home / "node.yaml").read_text()
        (node.home / "node.yaml").write_text(text + "\nresart_limit: 5\n")
        node.refuses_to_start("node.yaml", "node.yaml:", "did you mean 'restart_limit'")
        (node.home / "node.yaml").write_bytes(b"\0\xff\xfe garbage {{{\n")
        node.refuses_to_start("node.yaml", "node.yaml")
        node.repair()


def test_a_missing_key_is_named():
    for name in ("node.key", "pseudonym.key"):
        with Filled() as node:
            (node.home / "keys" / name).unlink()
            node.refuses_to_start(f"keys/{name}", name)
            assert not (node.home / "keys" / name).exists(), "a new key was made in its place"
            node.repair()


def test_a_key_that_others_may_read_is_refused_with_the_remedy():
    with Filled() as node:
        (node.home / "keys/node.key").chmod(0o644)
        node.refuses_to_start("keys/node.key", "node.key", "chmod 600")
        node.repair()


def segments(node):
    return sorted(p for p in (node.home / "objects").rglob("*") if p.is_file() and
                  p.parent.name == "segments")


def test_a_segment_that_is_cut_off_is_told_and_the_rest_is_served():
    with Filled() as node:
        largest = max(segments(node), key=lambda p: p.stat().st_size)
        whole = largest.stat().st_size
        truncate(largest, whole // 2)
        node.start(wait=False)
        node.wait_ready()
        node.indexed()  # the facts of what is left are handed over again
        node.cairn("export", "*", str(node.dir / "out"), "--purpose", "operations", status=None)
        said = node.stderr + (node.dir / "node.log").read_text() + \
            (node.home / "log/dicom.log").read_text()
        print("        " + node.stderr.splitlines()[0][:150] if node.stderr else "        (nothing)")
        there = {path.stem for path in (node.dir / "out").rglob("*.dcm")}
        assert 0 < len(there) < len(node.stored), f"{len(there)} of {len(node.stored)}"
        equal(node.status, 1, "the exit status of an export that misses instances")
        assert any(word in said for word in ("damaged", "corrupt", "cut off", "missing")), said
        equal(node.stop(), 0, "exit status")
        node.repair()


if __name__ == "__main__":
    main(globals())
