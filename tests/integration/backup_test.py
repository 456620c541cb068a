# SPDX-License-Identifier: Apache-2.0
"""A copy of a running node's home is consistent, whole or none, and a node starts from it."""

import json
import shutil
import subprocess
import threading

from harness import BIN, Node, Scu, contains, equal, main, read_part10, storescu, synth, wait_for


def run(*args, status=0):
    done = subprocess.run([str(BIN / "cairn"), *map(str, args)], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    equal(done.returncode, status, f"{args}: the exit status\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Other:
    """The restored home, run in the place of the first."""

    def __init__(self, node, home):
        self.node, self.home = node, home

    def __enter__(self):
        self.first, self.node.home = self.node.home, self.home
        self.node.start()
        return self.node

    def __exit__(self, *_):
        self.node.stop()
        self.node.home = self.first


def stored(node, patients, name="in", seed=7):
    synth(node.dir / name, patients, seed=seed)
    storescu(node, node.dir / name)
    return node.indexed()


def backups(node, dir):
    return sorted(p for p in (node.dir / dir).iterdir() if not p.name.startswith("."))


# ---- there and back ----------------------------------------------------------------------------

def test_a_restored_node_answers_what_the_first_did():
    with Node() as node:
        node.start()
        count = stored(node, 3)
        patients = node.count("*")["count"]
        contains(node.cairn("backup", str(node.dir / "one.tar"), "--keys"), "IT HOLDS THE KEYS",
                 "the warning")
        node.stop()
        contains(run("restore", node.dir / "one.tar", node.dir / "two"), "ledger is intact",
                 "what restore says")
        with Other(node, node.dir / "two"):
            equal(node.indexed(), count, "instances")
            equal(node.count("*")["count"], patients, "patients")
            equal(node.json("ledger", "verify")["intact"], True, "the ledger")
            node.cairn("export", "*", str(node.dir / "out"), "--purpose", "operations")
            equal(len(list((node.dir / "out").rglob("*.dcm"))), count, "exported")
            assert stored(node, 1, name="more", seed=99) > count, "it does not go on"


def test_what_was_acknowledged_before_is_in_a_backup_that_is_made_under_load():
    with Node() as node:
        node.start()
        files = [read_part10(p) for p in synth(node.dir / "in", 6)]
        acknowledged, stop = [], threading.Event()

        def send():
            scu, of_class = None, None
            for sop_class, sop_instance, dataset in files:
                if stop.is_set():
                    break
                if of_class != sop_class:
                    scu, of_class = Scu(node.port, sop_class), sop_class
                equal(scu.store(sop_instance, dataset), 0, "the status")
                acknowledged.append(sop_instance)
        sender = threading.Thread(target=send)
        sender.start()
        wait_for("instances", 30, lambda: len(acknowledged) > 20)
        homes = []
        for _ in range(2):
            before = len(acknowledged)
            node.cairn("backup", str(node.dir / "many"))
            homes.append((before, len(acknowledged), backups(node, "many")[-1]))
        stop.set()
        sender.join()
        node.indexed()
        node.stop()
        for before, after, path in homes:
            home = node.dir / f"home-{path.name}"
            run("restore", path, home, "--keys", node.home / "keys")
            with Other(node, home):
                count = node.indexed()
                assert before <= count <= after + 1, f"{count} instances of {before} to {after}"
                equal(node.json("ledger", "verify")["intact"], True, "the ledger")


def test_segments_that_did_not_change_take_no_room_twice():
    with Node() as node:
        node.start()
        stored(node, 2)
        node.cairn("backup", str(node.dir / "many"))
        made = node.json("backup", str(node.dir / "many"))
        assert made["unchanged_bytes"] > 0, made
        first, second = backups(node, "many")
        for segment in (first / "objects/segments").iterdir():
            equal(segment.stat().st_ino, (second / "objects/segments" / segment.name).stat().st_ino,
                  "the inode of an unchanged segment")
        shutil.rmtree(first)  # each is whole in itself
        run("restore", node.dir / "many", node.dir / "two", "--keys", node.home / "keys")


def test_keys_are_in_a_backup_only_when_asked_for():
    with Node(plugins=()) as node:
        node.cairn("backup", str(node.dir / "many"))
        node.cairn("backup", str(node.dir / "keys.tar"), "--keys")
        listing = subprocess.run(["tar", "tf", str(node.dir / "keys.tar")], capture_output=True,
                                 text=True, check=True).stdout
        contains(listing, "keys/pseudonym.key", "a backup with the keys, as tar lists it")
        equal(list(backups(node, "many")[0].rglob("*.key")), [], "keys in a backup without")
        contains(run("restore", node.dir / "many", node.dir / "two"), "the backup has no keys",
                 "what restore says")


def test_the_ledger_says_who_made_a_backup():
    with Node(plugins=()) as node:
        node.start(wait=False)
        wait_for("the node", 20, lambda: node.cairn("status", status=None) and node.status == 0)
        node.cairn("backup", str(node.dir / "one.tar"), "--keys")
        records = node.json("ledger", "tail")["records"]
        said = [(r["verdict"], r["fields"]["keys"]) for r in records if r["subject"] == "backup"]
        equal(said, [("begun", "yes"), ("made", "yes")], "what the ledger says")


# ---- half, damaged, hostile --------------------------------------------------------------------

def test_a_backup_that_was_killed_is_none_and_is_cleared_away():
    with Node() as node:
        node.start()
        stored(node, 2)
        partial = node.dir / "one.tar.partial"
        for to, began in (("many", lambda: list((node.dir / "many").glob(".partial-*/objects/*"))),
                          ("one.tar", partial.exists)):
            process = subprocess.Popen([str(BIN / "cairn"), "--home", str(node.home), "backup",
                                        str(node.dir / to), "--rate", "1"],
                                       stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            wait_for("it began", 20, began)
            process.kill()
            process.communicate()
        contains(run("restore", node.dir / "many", node.dir / "two", status=1),
                 "there is no whole backup", "half a folder")
        contains(run("restore", partial, node.dir / "two", status=1), "did not end", "half a tar")
        assert not (node.dir / "two").exists(), "a home of half a backup"
        half = list((node.dir / "many").glob(".partial-*"))
        node.cairn("backup", str(node.dir / "many"))
        node.cairn("backup", str(node.dir / "one.tar"))
        equal([p for p in half if p.exists()], [], "what was left behind")
        assert not partial.exists()


def test_a_changed_byte_is_found_and_nothing_is_restored():
    with Node() as node:
        node.start()
        stored(node, 1)
        node.cairn("backup", str(node.dir / "many"))
        node.cairn("backup", str(node.dir / "one.tar"))
        segment = next((backups(node, "many")[0] / "objects/segments").iterdir())
        for path, at in ((segment, 1000), (node.dir / "one.tar", 300000)):
            data = bytearray(path.read_bytes())
            data[at] ^= 1
            path.write_bytes(data)
        contains(run("restore", node.dir / "many", node.dir / "two", status=1),
                 "is not what was backed up", "a folder with a changed byte")
        run("restore", node.dir / "one.tar", node.dir / "two", status=1)
        short = node.dir / "short.tar"
        short.write_bytes((node.dir / "one.tar").read_bytes()[:400000])
        run("restore", short, node.dir / "two", status=1)
        equal([p.name for p in node.dir.iterdir() if p.name.startswith("two")], [], "what is left")


def test_a_list_that_leads_elsewhere_is_refused():
    with Node(plugins=()) as node:
        node.cairn("backup", str(node.dir / "many"))
        made = backups(node, "many")[0]
        listing = json.loads((made / "backup.json").read_text())
        for path in ("../evil", "/tmp/evil", "a/../../evil", "a//b", "."):
            listing["files"][0]["path"] = path
            (made / "backup.json").write_text(json.dumps(listing))
            contains(run("restore", made, node.dir / "two", status=1), "leads elsewhere", path)


def test_a_home_that_is_not_empty_is_refused():
    with Node(plugins=()) as node:
        node.cairn("backup", str(node.dir / "one.tar"))
        contains(run("restore", node.dir / "one.tar", node.home, status=1), "is not empty", "its word")
        node.cairn("backup", str(node.dir / "one.tar"), status=1)
        contains(node.stderr, "never replaces another", "a second backup into one file")
        node.cairn("backup", str(node.home / "inside"), status=1)
        contains(node.stderr, "outside the home", "a backup within the home")


main(globals())
