# SPDX-License-Identifier: Apache-2.0
"""What the tests of the FHIR connector share: a node with it, and resources."""

import json

from harness import Node, SHARED, wait_for

DATA = SHARED / "data/clinical/fhir"
UPDATED = "2025-01-01T00:00:00Z"


def patient(n, **more):
    return {"resourceType": "Patient", "id": f"p{n}", "meta": {"lastUpdated": UPDATED},
            "identifier": [{"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                                                 "code": "MR"}]},
                            "system": "urn:oid:1.2.3", "value": f"MRN-{n}"}],
            "name": [{"family": "Secretname"}], "gender": "female" if n % 2 else "male",
            "birthDate": "1960-03-01", **more}


def condition(n, of, code="C50.1", **more):
    return {"resourceType": "Condition", "id": f"c{n}", "meta": {"lastUpdated": UPDATED},
            "subject": {"reference": f"Patient/p{of}"}, "onsetDateTime": "2015-06-01",
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}],
                     "text": "Secretname said so"}, **more}


class Site(Node):
    """A node with the connectors of the record; `settings` are the plugin's."""

    def __init__(self, **settings):
        super().__init__(plugins=())
        self.cairn("plugin", "enable", "cohort", "fhir", "--yes")
        for key, value in settings.items():
            self.set("plugins/available/fhir.yaml", key.replace("auth_", "auth."), value)
        self.folder = self.dir / "in"
        self.folder.mkdir(mode=0o755)
        self.start()

    def write(self, name, *resources):
        path = self.folder / name
        path.write_text("".join(json.dumps(r) + "\n" for r in resources))
        return path

    def patients(self, expression, expected):
        """The count, once it is what is expected."""
        def same():
            self.last = self.json("count", expression, "--purpose", "operations", status=None).get("count")
            return self.last == expected
        try:
            wait_for("the count", 20, same)
        except AssertionError:
            raise AssertionError(f"{expression}: {self.last} patients, expected {expected}") from None

    def status_text(self):
        return self.cairn("call", "fhir.status")

    def pull(self, status=0):
        return self.cairn("call", "fhir.pull", "--purpose", "operations", status=status) + self.stderr

    def check_nothing_leaks(self):
        for path in [self.dir / "node.log"] + [p for p in (self.home / "state").rglob("*") if p.is_file()]:
            data = path.read_bytes()
            for secret in (b"Secretname", b"MRN-1", b"1960-03-01"):
                assert secret not in data, f"{secret} is in {path.name}"


def resources(count):
    return {"Patient": [patient(n) for n in range(count)],
            "Condition": [condition(n, n) for n in range(count)]}
