# SPDX-License-Identifier: Apache-2.0
"""Image, message and table of a patient meet under one pseudonym; what contradicts is reported."""

import csv
import json
import subprocess

from harness import BIN, Node, contains, equal, free_port, main, synth, wait_for
from hl7v2_test import Mllp


class LinkNode(Node):
    def __init__(self):
        super().__init__(plugins=("dicom", "cohort", "hl7v2"))
        self.hl7 = free_port()
        self.set("plugins/available/hl7v2.yaml", "port", self.hl7)

    def find(self, kind, issuer, identifier, status=0):
        """As `cairn patient find --json`; the identifier goes in where nobody sees it."""
        done = subprocess.run([BIN / "cairn", "--home", self.home, "--json", "patient", "find", kind,
                               issuer], input=identifier + "\n", capture_output=True, text=True,
                              timeout=60)
        equal(done.returncode, status, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def pseudonym(self, kind, issuer, identifier):
        return self.find(kind, issuer, identifier)["pseudonym"]

    def table(self, *rows, status=0):
        path = self.dir / "link.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows(rows)
        return self.json("patient", "link", "--table", str(path), status=status)


def adt(event, control, pid, mrg=""):
    return (f"MSH|^~\\&|ADT|HOSP|CAIRN|SITE|20240102||ADT^{event}|{control}|P|2.5\r"
            f"PID|1||{pid}||Muster^Max||19700220|M\r" + (f"MRG|{mrg}\r" if mrg else ""))


def images(node):
    """One patient's images, and what they call the patient and the study."""
    import pydicom
    files = synth(node.dir / "pacs", 1)
    for file in files:
        dataset = pydicom.dcmread(file)
        dataset.IssuerOfPatientID, dataset.AccessionNumber = "HOSP", "ACC1"
        dataset.save_as(file)
    return dataset.PatientID


def test_image_message_and_sample_meet_and_a_merge_moves_them():
    with LinkNode() as node:
        number = images(node)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        node.indexed()
        wait_for("the accession is linked", 20,
                 lambda: node.json("status")["links"]["identifiers"] == 2)
        image = node.pseudonym("accession", "", "ACC1")
        equal(node.pseudonym("patient-id", "HOSP", number), image, "accession and patient number")
        sender = Mllp(node.hl7)
        equal(sender.ask(adt("A04", 1, f"{number}^^^HOSP^MR~987^^^DE^NI")), "AA", "a registration")
        equal(node.pseudonym("national-id", "DE", "987"), image, "national id")
        node.table(["type", "issuer", "id", "type", "issuer", "id"],
                   ["national-id", "DE", "987", "sample", "LAB", "S1"])
        equal(node.pseudonym("sample", "lab", "S1"), image, "a sample of a table")

        equal(sender.ask(adt("A40", 2, "55^^^HOSP^MR", f"{number}^^^HOSP^MR")), "AA", "a merge")
        survivor = node.pseudonym("patient-id", "HOSP", "55")
        assert survivor != image
        for kind in (("patient-id", "HOSP", number), ("accession", "", "ACC1"),
                     ("sample", "LAB", "S1"), ("national-id", "DE", "987")):
            equal(node.pseudonym(*kind), survivor, f"{kind[0]} after the merge")
        shown = node.json("patient", "show", image)
        equal((shown["pseudonym"], shown["asked"]), (survivor, image), "the survivor")
        equal(sorted({i["source"] for i in shown["identifiers"]})[:2], ["dicom", "hl7v2"], "sources")
        node.kill()
        node.start()
        equal(node.pseudonym("sample", "LAB", "S1"), survivor, "a sample after a kill")
        equal(Mllp(node.hl7).ask(adt("A40", 3, f"{number}^^^HOSP^MR", "55^^^HOSP^MR")), "AE",
              "a merge the other way round")
        kept = b"".join(p.read_bytes() for p in (node.home / "state" / "kernel" / "links").iterdir())
        for word in (number.encode(), b"ACC1", b"Muster"):
            assert word not in kept, f"{word} on the disk"
        node.cairn("ledger", "verify")
        links = [r for r in node.json("ledger", "tail", "--records", "1000")["records"]
                 if r["kind"] == "link"]
        equal([(r["verdict"], r["principal"]) for r in links], [("merged", "hl7v2")], "the ledger")


def test_what_contradicts_is_reported_and_ended_by_an_operator():
    with LinkNode() as node:
        node.start()
        node.table(["patient-id", "HOSP", "1", "national-id", "DE", "9"],
                   ["patient-id", "HOSP", "2", "sample", "LAB", "S2"])
        one, two = node.pseudonym("patient-id", "HOSP", "1"), node.pseudonym("patient-id", "HOSP", "2")
        sender = Mllp(node.hl7)
        for control in (1, 2):
            equal(sender.ask(adt("A08", control, "2^^^HOSP^MR~9^^^DE^NI")), "AA", "a contradiction")
        conflict, = node.json("patient", "conflicts")["conflicts"]
        equal((conflict["a"], conflict["b"], conflict["source"]), (two, one, "hl7v2"), "the two")
        equal(node.pseudonym("national-id", "DE", "9"), one, "nothing was changed")
        contains(node.cairn("doctor", status=None), "cairn patient resolve", "the doctor")
        equal(node.json("patient", "conflicts", "--purpose", "insurance", status=1)["answer"],
              "denied", "another purpose")
        node.json("patient", "resolve", str(conflict["id"]), "--keep", "a")
        equal(node.pseudonym("national-id", "DE", "9"), two, "the disputed number")
        equal(node.json("patient", "conflicts")["conflicts"], [], "open conflicts")
        wrong = node.table(["patient-id", "HOSP", "7", "sample", "LAB", "S7"],
                           ["patient-id", "HOSP", "8", "sample", "LAB", "S2"], status=1)
        equal([e["line"] for e in wrong["errors"]], [2], "the wrong line")
        node.find("sample", "LAB", "S7", status=1)
        node.json("patient", "merge", one, two)
        equal(node.pseudonym("patient-id", "HOSP", "1"), two, "merged")
        node.json("patient", "split", one)
        equal(node.pseudonym("patient-id", "HOSP", "1"), one, "split")


def test_links_are_in_a_backup():
    with LinkNode() as node:
        node.start()
        node.table(["patient-id", "HOSP", "1", "sample", "LAB", "S1"])
        before = node.pseudonym("sample", "LAB", "S1")
        node.cairn("backup", str(node.dir / "copy"), "--keys")
        node.stop()
        contains(node.cairn("check", "--quick"), "2 identifiers of 1 patients", "check")
        node.cairn("restore", str(node.dir / "copy"), str(node.dir / "again"), home=False)
        done = subprocess.run([BIN / "cairn", "--home", node.dir / "again", "check", "--quick"],
                              capture_output=True, text=True, timeout=60)
        contains(done.stdout, "2 identifiers of 1 patients", "check of the copy")
        node.home = node.dir / "again"
        node.start()
        equal(node.pseudonym("sample", "LAB", "S1"), before, "the sample")


if __name__ == "__main__":
    main(globals())
