# SPDX-License-Identifier: Apache-2.0
"""The cohort index can be made anew from the images held: by itself when it was lost, and when an
operator asks for it."""

import shutil

from harness import Node, contains, equal, main, synth, wait_for


def handed_over(node):
    return [r["reason"] for r in node.json("ledger", "tail", "--records", "500")["records"]
            if r["subject"] == "imaging.facts"]


def again(node, expected):
    """Waits for the count; until it is right there is none, or the index has not been heard of."""
    def whole():
        answer = node.count("modality = CT", status=None)
        return node.status == 0 and answer["count"] == expected
    wait_for("the index is whole again", 30, whole)


def test_a_lost_index_is_made_anew_without_help():
    with Node() as node:
        files = synth(node.dir / "pacs", 20)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        equal(node.indexed(), len(files), "indexed instances")
        before = node.count("modality = CT")["count"]
        assert before > 0, before
        equal(node.stop(), 0, "exit status")
        shutil.rmtree(node.home / "state" / "cohort" / "index")
        node.start()
        again(node, before)
        equal(node.count("*", level="instances")["count"], len(files), "instances")
        wait_for("both records", 10, lambda: len(handed_over(node)) == 2)
        contains(handed_over(node)[0], "the index of facts is a new one", "what the ledger says")
        equal(node.stop(), 0, "exit status")
        node.start()  # nothing is handed over when nothing was lost
        again(node, before)
        equal(len(handed_over(node)), 2, "records of handing over")


def test_an_operator_has_the_index_made_anew():
    with Node() as node:
        files = synth(node.dir / "pacs", 5)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        equal(node.indexed(), len(files), "indexed instances")
        before = node.count("modality = CT")["count"]
        contains(node.cairn("cohort", "reindex"), "the index is being rebuilt", "the answer")
        wait_for("both records", 30, lambda: len(handed_over(node)) == 2)
        again(node, before)
        equal(node.count("*", level="instances")["count"], len(files), "instances")


def test_what_is_counted_and_not_held_is_named():
    with Node() as node:
        files = synth(node.dir / "pacs", 3)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        equal(node.indexed(), len(files), "indexed instances")
        equal(node.stop(), 0, "exit status")
        shutil.rmtree(node.home / "objects")
        node.start()
        args = ("export", "*", str(node.dir / "out"), "--purpose", "operations")
        answer = node.json(*args, status=1)
        equal((answer["written"], answer["missing"]), (0, len(files)), "written, missing")
        equal(node.stderr.count("the index knows this instance, and the object store does not hold it"),
              len(files), "lines that name one")
        contains(node.cairn(*args, status=1), "objects back from a backup", "what to do")


def test_without_a_connector_nothing_is_torn_down():
    with Node(plugins=("cohort",)) as node:
        node.start()
        node.cairn("cohort", "reindex", status=None)
        assert node.status != 0
        contains(node.stderr, "is dicom enabled and ready?", "what to do")
        equal(node.count("*")["count"], 0, "a question is answered as before")


if __name__ == "__main__":
    main(globals())
