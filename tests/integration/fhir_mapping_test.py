#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The mapping of FHIR resources, tried with `cairn fhir map`, without a node.

The oracle for what a file says is a reading of its own here, with Python's json."""

import collections
import json
import pathlib
import re
import subprocess
import tempfile

from fhir_site import DATA, condition
from harness import BIN, contains, equal, main, need

def fhir(*args, status=0):
    done = subprocess.run([str(BIN / "cairn-fhir"), *args], capture_output=True, text=True, timeout=60)
    equal(done.returncode, status, f"exit status of {args}: {done.stdout[-500:]}{done.stderr}")
    return done.stdout + done.stderr


def test_all_samples_map_without_error():
    folder = need(DATA)
    files = [*folder.glob("synthea-r4/*.json"), *folder.glob("bulk-ndjson-10/[A-Z]*.ndjson"),
             *folder.glob("mcode-json/*.json"), *folder.glob("hl7-r4-examples/*.json")]
    fhir("map", *map(str, files))


def test_facts_are_as_many_as_python_finds():
    """Diagnoses, medications, observed codes and values of Synthea, counted from the JSON itself."""
    files = sorted(need(DATA / "synthea-r4").glob("*.json"))
    attributes = {"Condition": "diagnosis", "Procedure": "procedure", "Observation": "observation"}
    for path in files:
        expected = collections.Counter()
        for entry in json.loads(path.read_text())["entry"] if '"Bundle"' in path.read_text() else []:
            resource = entry["resource"]
            kind = attributes.get(resource["resourceType"])
            if kind is not None:
                expected[kind] += len({(c["system"], c["code"]) for c in resource["code"]["coding"]})
            if resource["resourceType"] == "Observation":
                expected["observation_value"] += "value" in resource.get("valueQuantity", {})
        found = collections.Counter()
        for block in re.split(r"\n(?=\S)", fhir("map", str(path))):
            if block.startswith("DiagnosticReport/"):
                continue
            for name in [*attributes.values(), "observation_value"]:
                found[name] += len(re.findall(rf"(?m)^  {name} = ", block))
        equal({k: v for k, v in found.items() if v}, {k: v for k, v in expected.items() if v}, path.name)


def test_a_bad_mapping_says_file_line_and_what_to_do():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        mapping = folder / "fhir.lua"
        mapping.write_text('resource {\n\ttype = "Condition", entity = "condition",\n'
                           '\tfact { attribute = "diagnosys", form = "code" },\n}\n')
        path = folder / "a.json"
        path.write_text(json.dumps(condition(1, 1)))
        contains(fhir("map", str(path), "--mapping", str(mapping), status=1),
                 "fhir.lua:3: unknown key 'form'; did you mean 'from'?", "the message")
        mapping.write_text(mapping.read_text().replace("form", "from"))
        contains(fhir("map", str(path), "--mapping", str(mapping), status=1),
                 "did you mean 'diagnosis'?", "the message")
        mapping.write_text('resource {\n\ttype = "Condition", entity = "condition",\n'
                           '\tfact { attribute = "diagnosis", from = "code" },\n}\n')
        contains(fhir("map", str(path), "--mapping", str(mapping)), "diagnosis = icd10:C50.1", "a fact")


if __name__ == "__main__":
    main(globals())
