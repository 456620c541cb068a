#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fetching from FHIR servers: one that pages, one that exports, ones that lie, and a real one."""

import base64
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import urllib.request

from fhir_site import DATA, Site, condition, resources
from fhir_stub import Stub
from harness import Skip, contains, equal, free_port, main, need, need_program, wait_for

def test_pages_are_followed_and_the_second_pull_moves_only_changes():
    with Stub(resources(5)) as stub, Site(base_url=stub.base, types="[Condition, Patient]") as node:
        stub.busy = 2
        contains(node.pull(), "10 resources taken in 6 pages", "the first pull")
        node.patients("diagnosis in icd10:C50", 5)
        contains(node.pull(), "0 resources taken in 2 pages", "the second pull")
        stub.resources["Condition"][0] = condition(0, 0, "C34.9", meta={"lastUpdated": "2099-01-01T00:00:00Z"})
        contains(node.pull(), "1 resources taken", "the third pull")
        node.patients("diagnosis in icd10:C50", 4)
        node.check_nothing_leaks()


def test_a_server_that_lies_is_found_out():
    with Stub(resources(5)) as stub, Site(base_url=stub.base, types="[Patient]") as node:
        stub.next = "https://evil.example/Patient?start=2"
        contains(node.pull(status=1), "leads to another server", "another origin")
        stub.next = stub.base + "/Patient?start=0"
        contains(node.pull(status=1), "in a circle", "a circle")
        stub.next = None
        stub.bad_json = True
        contains(node.pull(status=1), "no JSON: byte", "bad JSON")
        stub.bad_json = False
        stub.redirect = "http://127.0.0.2:9/r4/Patient"
        contains(node.pull(status=1), "another origin", "a redirect")
        stub.redirect = None
        contains(node.pull(), "resources taken", "an honest one")
        node.patients("sex exists", 5)


def test_a_pull_that_was_killed_goes_on():
    with Stub(resources(6)) as stub, Site(base_url=stub.base, types="[Patient, Condition]") as node:
        stub.hang_at = "Condition?start=2" if False else "start=4"
        stub.hang_at = "Condition?_count=200&start=2"
        waiter = threading.Thread(target=lambda: node.cairn("call", "fhir.pull", "--purpose", "operations",
                                                            status=None))
        waiter.start()
        wait_for("the page that hangs", 30, lambda: any(stub.hang_at in p for p in stub.asked))
        node.kill()
        waiter.join()
        stub.hang_at = None
        stub.hang.set()
        before = len(stub.asked)
        node.start()
        contains(node.pull(), "resources taken", "the pull that goes on")
        again = stub.asked[before:]
        equal([p for p in again if "/Patient" in p], [], "patients that are asked for again")
        node.patients("diagnosis in icd10:C50", 6)


# ---- export and authorization -----------------------------------------------------------------------

def test_an_export_is_awaited_and_read():
    with Stub(resources(4)) as stub, Site(base_url=stub.base, mode="export",
                                          types="[Patient, Condition]") as node:
        stub.polls = 1
        contains(node.pull(), "8 resources taken from 2 files", "the pull")
        node.patients("diagnosis in icd10:C50", 4)
        contains(node.pull(), "resources taken", "the second one")
        assert any("_since=2026-01-01" in p for p in stub.asked), "the second does not say since when"


def test_an_export_that_breaks_off_is_resumed():
    with Stub(resources(4)) as stub, Site(base_url=stub.base, mode="export",
                                          types="[Patient, Condition]") as node:
        stub.cut_file = 700
        contains(node.pull(status=1), "file 2 of the export", "the pull that breaks off")
        stub.cut_file = None
        contains(node.pull(), "4 resources taken", "the pull that goes on")
        equal(sum("$export" in p for p in stub.asked), 1, "exports that were started")
        node.patients("diagnosis in icd10:C50", 4)


def test_a_token_is_asked_for_with_a_signed_assertion():
    with Stub(resources(1)) as stub:
        url = stub.base + "/token"
        with Site(base_url=stub.base, types="[Patient]", auth_client_id="cairn-1",
                  auth_token_url=url) as node:
            stub.token = "abc"
            contains(node.pull(), "1 resources taken", "the pull")
            form, (header, claims, signature), jwt = stub.assertions[0]
            equal(form["scope"], "system/*.read", "scope")
            header, claims = json.loads(header), json.loads(claims)
            equal((header["alg"], claims["iss"], claims["sub"], claims["aud"], len(signature)),
                  ("ES384", "cairn-1", "cairn-1", url, 96), "the assertion")
            contains(node.status_text(), header["kid"], "the public key")
            check_signature(re.search(r"\{.*\}", node.status_text())[0], jwt, signature)
            stub.token = "def"  # the old one is refused, a new one asked for
            contains(node.pull(), "resources taken", "with a new token")


def check_signature(jwks, jwt, signature):
    """With the openssl command, from the JWK."""
    key = json.loads(jwks)["keys"][0]
    x, y = (base64.urlsafe_b64decode(key[n] + "=" * (-len(key[n]) % 4)) for n in "xy")
    spki = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200") + b"\x04" + x + y
    def number(raw):
        raw = raw.lstrip(b"\0")
        raw = (b"\0" if raw[0] & 128 else b"") + raw
        return b"\x02" + bytes([len(raw)]) + raw
    inner = number(signature[:48]) + number(signature[48:])
    der = b"\x30" + (b"\x81" if len(inner) > 127 else b"") + bytes([len(inner)]) + inner
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "key.der").write_bytes(spki)
        (folder / "sig").write_bytes(der)
        (folder / "data").write_bytes(jwt.rsplit(".", 1)[0].encode())
        done = subprocess.run(["openssl", "dgst", "-sha384", "-verify", folder / "key.der", "-keyform", "DER",
                               "-signature", folder / "sig", folder / "data"], capture_output=True, text=True)
        contains(done.stdout, "Verified OK", f"openssl: {done.stderr}")


# ---- a real server ----------------------------------------------------------------------------------

def server_ids(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/Patient?_count=100") as reply:
        return [e["resource"]["id"] for e in json.load(reply)["entry"]]


def post(port, resource):
    resource = {k: v for k, v in resource.items() if k not in ("id", "meta")}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/Condition", json.dumps(resource).encode(),
                                     {"Content-Type": "application/fhir+json"})
    urllib.request.urlopen(request).close()


def test_a_real_server_is_pulled_by_search_and_by_export():
    """fhir-works-on-aws and Medplum from npm, where somebody has installed them (CAIRN_FHIR_PEER)."""
    peer = pathlib.Path(os.environ.get("CAIRN_FHIR_PEER", "/nonexistent"))
    if not (peer / "node_modules").is_dir():
        raise Skip("CAIRN_FHIR_PEER names no folder with the peer and its node_modules")
    need_program("node")
    files = sorted(need(DATA / "synthea-r4").glob("*.json"))[:3]
    port = free_port()
    server = subprocess.Popen(["node", "server.cjs", str(port), *map(str, files)], cwd=peer,
                              stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        contains(line, "ready", "the peer")
        counts = json.loads(line[line.index("{"):])
        for mode in ("search", "export"):
            with Site(base_url=f"http://127.0.0.1:{port}", mode=mode, page=100,
                      types="[Condition, Patient]") as node:
                expected = counts["Condition"] + counts["Patient"]
                contains(node.pull(), f"{expected} resources taken", mode)
                node.patients("sex exists", counts["Patient"])
                if mode == "export":
                    node.patients("diagnosis in icd10:C50", counts["Patient"])
                    continue
                # The server has given the patients other ids than the file's conditions refer to.
                contains(node.status_text(), f"waiting for their patient: {counts['Condition']}", mode)
                for n, id in enumerate(server_ids(port)):
                    post(port, condition(n, 0, subject={"reference": f"Patient/{id}"}))
                counts["Condition"] += counts["Patient"]
                contains(node.pull(), "resources taken", "again")
                node.patients("diagnosis in icd10:C50", counts["Patient"])
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(globals())
