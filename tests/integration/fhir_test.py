#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files of FHIR resources, imported into a node."""

import json

from fhir_site import Site, condition, patient
from harness import contains, equal, main

def test_a_folder_is_imported_and_again_changes_nothing():
    with Site() as node:
        node.write("Condition.ndjson", condition(1, 1), condition(2, 2, "C34.9"))
        node.write("Patient.ndjson", patient(1), patient(2))
        for _ in range(2):
            done = node.json("import", str(node.folder))
            equal((done["files"], done["imported"], done["refused"], done["resources"], done["waiting"]),
                  (2, 2, 0, 4, 0), "import")
        node.patients("diagnosis in icd10:C50", 1)
        node.patients("age_at_diagnosis = 55", 2)
        node.patients("sex = female and diagnosis = icd10:C50.1", 1)
        node.check_nothing_leaks()


def test_what_comes_before_its_patient_waits():
    with Site() as node:
        done = node.json("import", str(node.write("c.ndjson", condition(1, 1))))
        equal(done["waiting"], 1, "waiting")
        contains(node.status_text(), "waiting for their patient: 1", "status")
        node.patients("diagnosis exists", 0)
        node.json("import", str(node.write("p.ndjson", patient(1))))
        contains(node.status_text(), "waiting for their patient: 0", "status")
        node.patients("diagnosis in icd10:C50", 1)


def test_a_malformed_file_is_refused_as_a_whole():
    with Site() as node:
        path = node.write("p.ndjson", patient(1), patient(2))
        path.write_text(path.read_text() + '{"resourceType": "Patient", "id": }\n')
        done = node.json("import", str(path), status=1)
        equal((done["imported"], done["refused"], done["resources"]), (0, 1, 0), "import")
        contains(done["refusals"][0]["reason"], "line 3", "the reason")
        contains(done["refusals"][0]["reason"], "no JSON: byte 34", "the reason")
        contains(node.status_text(), "patients: 0", "status")


def test_an_entry_in_error_is_taken_back():
    with Site() as node:
        node.json("import", str(node.write("a.ndjson", patient(1), condition(1, 1))))
        node.patients("diagnosis in icd10:C50", 1)
        wrong = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                             "code": "entered-in-error"}]}
        node.json("import", str(node.write("b.ndjson", condition(1, 1, verificationStatus=wrong))))
        node.patients("diagnosis in icd10:C50", 0)


if __name__ == "__main__":
    main(globals())
