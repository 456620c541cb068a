# SPDX-License-Identifier: Apache-2.0
"""The command line: exit codes, JSON whose keys stay, help, and errors that say what to do."""

import os
import pty
import re
import shutil
import signal
import subprocess
import time

from harness import BIN, Node, contains, equal, main, synth, wait_for

KEYS = {
    "status": ["ledger", "links", "node", "plugins", "policy", "queues"],
    "count": ["answer", "count", "criteria", "expression", "level", "min_cell", "reason",
              "request_id", "rounded_to", "rule", "suggestions"],
    "cohort fields": ["fields"],
    "check": ["checks", "ok"],
    "ledger verify": ["bad_record", "checkpoints", "intact", "key", "records", "root", "text",
                      "unsigned_records"],
    "ledger tail": ["records", "total"],
    "job list": ["jobs", "listed_at_most", "queues"],
    "plugin list": ["plugins"],
    "plugin info": ["abi", "capabilities", "kind", "name", "options", "path", "serves", "state",
                    "summary", "version"],
    "plugin logs": ["lines"],
}
RECORD = ["fields", "index", "kind", "previous", "principal", "purpose", "reason", "request_id",
          "rule", "subject", "time", "verdict"]
FIELD = ["entity", "example", "help", "level", "max", "min", "name", "operators", "type", "unit", "values"]
COMMANDS = """init run check status,plugin list,plugin enable,plugin disable,plugin restart
plugin info,plugin logs,import count export,cohort fields,ledger tail,ledger show,ledger verify,job list,call"""


def run(*args, status, **options):
    done = subprocess.run([str(BIN / "cairn"), *args], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **options)
    equal(done.returncode, status, f"exit status of cairn {' '.join(args)}\n{done.stderr}")
    return done.stdout, done.stderr


def test_json_keys_are_stable():
    with Node() as node:
        node.start()
        found = {
            "status": node.json("status"),
            "count": node.count("*"),
            "cohort fields": node.json("cohort", "fields"),
            "check": node.json("check"),
            "ledger verify": node.json("ledger", "verify"),
            "ledger tail": node.json("ledger", "tail"),
            "job list": node.json("job", "list"),
            "plugin list": node.json("plugin", "list"),
            "plugin info": node.json("plugin", "info", "dicom"),
            "plugin logs": node.json("plugin", "logs", "dicom"),
        }
        for command, keys in KEYS.items():
            equal(sorted(found[command]), keys, f"keys of cairn {command} --json")
        for record in found["ledger tail"]["records"]:
            equal(sorted(record), RECORD, "keys of a record")
        for field in found["cohort fields"]["fields"]:
            equal(sorted(field), FIELD, "keys of a field")


def test_every_command_has_help_with_an_example():
    for command in COMMANDS.replace("\n", ",").split(","):
        for name in [command] if " " in command and command.split()[0] in (
                "cohort", "plugin", "ledger", "job") else command.split():
            out, _ = run(*name.split(), "--help", status=0)
            contains(out, "usage: cairn " + name, f"help of {name}")
            contains(out.split("example:\n")[1], name.split()[0], f"example of {name}")


def test_wrong_usage_exits_2_and_says_what_is_right():
    wrong = {
        ("cuont", "*"): "did you mean 'count'?",
        ("count",): "give an expression",
        ("count", "*"): "--purpose",
        ("count", "*", "--porpuse", "x"): "did you mean '--purpose'?",
        ("count", "modality =", "--purpose", "x"): "expected",
        ("count", "*", "--purpose"): "--purpose needs a value",
        ("count", "sex = M", "--purpose", "x"): "what can be asked: cairn cohort fields",
        ("cohort",): "cairn cohort fields",
        ("count", "*", "--purpose", "x", "--level", "rooms"): "patients, studies, series",
        ("ledger",): "cairn ledger verify",
        ("ledger", "show"): "name one record",
        ("plugin", "enable"): "name one or more plugins",
        ("status", "--timeout", "soon"): "--timeout takes seconds",
        (): "usage: cairn",
    }
    for args, expected in wrong.items():
        _, err = run(*args, status=2)
        contains(err, expected, f"cairn {' '.join(args)}")


def test_without_a_node_the_error_says_how_to_get_one():
    with Node() as node:
        contains(node.cairn("--json", "status", status=1), "start it with: cairn --home",
                 "a node that does not run")
        contains(run("--home", str(node.dir), "status", status=1)[1], "make one with: cairn init",
                 "a folder that is no node's home")
        _, err = run("--home", str(node.dir / "nowhere"), "status", status=1)
        contains(err, "make one with: cairn init", "no home")
        _, err = run("init", str(node.home), status=1)
        contains(err, "holds a node already; nothing was changed", "a second init")
        _, err = run("--home", str(node.home), "plugin", "enable", "cohrt", status=1)
        contains(err, "did you mean 'cohort'?", "a mistyped plugin")
        node.set("plugins/available/dicom.yaml", "port", 99999)
        _, err = run("--home", str(node.home), "run", status=1)
        contains(err, "dicom.yaml:", "a wrong setting")
        contains(err, "'port' must be from 1 to 65535, found 99999", "a wrong setting")


def test_one_kernel_per_home():
    with Node(plugins=()) as node:
        node.start(wait=False)
        import harness
        harness.wait_for("control socket", 10, lambda: (node.home / "run/control.sock").exists())
        _, err = run("--home", str(node.home), "run", status=1)
        contains(err, "a node is running in", "a second kernel")


def text(node, *args, status=0):
    """Standard output for people, checked to hold nothing but text."""
    out = node.cairn(*args, status=status)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out), f"control characters: {out!r}"
    return out


def masked(out):
    """With what differs from run to run in one form."""
    out = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", out)
    out = re.sub(r"\b[0-9a-f]{24}\b", "REQUEST", out)
    out = re.sub(r"SHA256:\S+", "KEY", out)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+Z)?", "TIME", out)


def test_what_people_read():
    with Node(plugins=("cohort",)) as node:
        node.start()
        equal(masked(text(node, "count", "*", "--purpose", "operations")),
              "0 patients\n"
              "  policy   operators see exact counts for operations\n"
              "  rule     20-operators.lua:operator-count\n"
              "  record   REQUEST\n", "cairn count")
        equal(masked(text(node, "count", "*", "--purpose", "employment", status=1)),
              "denied: purpose 'employment' is prohibited for health data (EHDS Article 54); no permit "
              "can allow it\n"
              "  rule     10-purpose.lua:forbidden-purpose\n"
              "  record   REQUEST\n", "cairn count, denied")
        contains(text(node, "count", "*", "--purpose", "statistics", "--as", "alice@example.org"),
                 "suppressed: fewer than 10 patients, which may be none\n", "cairn count, suppressed")
        equal(text(node, "job", "list"), "no jobs wait\n", "cairn job list")
        rows = text(node, "plugin", "list").splitlines()
        equal(rows[0], "PLUGIN  VERSION  STATE     SUMMARY", "the head of cairn plugin list")
        contains(rows[1], "cohort  0.1.0    ready     ", "a row of cairn plugin list")
        contains(rows[2], "dicom   0.1.0    disabled  ", "a row of cairn plugin list")
        status = text(node, "status")
        contains(status, "Test Hospital (test-hospital), role site, project ", "cairn status")
        assert re.search(r"^PLUGIN  VERSION  STATE  RESTARTS  MEMORY +LAST ERROR\n"
                         r"cohort  0\.1\.0    ready  0         \d+\.\d MB  $", status, re.M), status
        tail = masked(text(node, "ledger", "tail"))
        contains(tail, "TIME  decision  deny      cohort.count  local:", "cairn ledger tail")
        contains(tail, "TIME  outcome   done      cohort.count  local:", "cairn ledger tail")
        last = node.json("ledger", "tail")["records"][-1]
        shown = text(node, "ledger", "show", "--request", last["request_id"])
        equal(len(re.findall(r"^record \d+$", shown, re.M)), 2, "records of the last request")
        equal(text(node, "ledger", "show", last["request_id"]), shown, "cairn ledger show ID")
        contains(masked(shown), "  request      REQUEST\n  min_cell     10\n", "cairn ledger show")
        contains(masked(text(node, "ledger", "verify")), "intact: ", "cairn ledger verify")
        contains(text(node, "check"), "ok    node.yaml          test-hospital\n", "cairn check")
        contains(text(node, "plugin", "info", "cohort"),
                 "  serves     cohort.count (guarded by the policy)\n", "cairn plugin info")
        equal(text(node, "plugin", "disable", "cohort"), "disabled cohort\n", "cairn plugin disable")
        equal(text(node, "plugin", "enable", "cohort"), "enabled cohort\n", "cairn plugin enable")


def test_an_impossible_value_is_refused_and_never_counted():
    with Node(plugins=("cohort",)) as node:
        node.start()
        for expression, expected in {
                "sex = M": 'sex takes female, male, other, unknown; you wrote "M"; did you mean "male"?',
                "modality = CTT": 'you wrote "CTT"; did you mean "CT"?',
                "age > 400": 'age takes a number of years from 0 to 150; you wrote "400"',
        }.items():
            error = node.json("count", expression, "--purpose", "operations", status=2)["error"]
            contains(error["text"], expected, f"the error of {expression}")
        equal(node.count("manufacturer = NOBODY")["answer"], "exact", "a code of an open list")
        equal([r for r in node.json("ledger", "tail")["records"] if r["kind"] == "decision"][1:], [],
              "decisions about what was refused")


def test_an_unknown_criterion_gets_a_suggestion():
    with Node(plugins=("cohort",)) as node:
        node.start()
        question = "modalitiy = CT and smoking = yes"
        equal(masked(text(node, "count", question, "--purpose", "operations", status=1)),
              "unsupported: this node cannot evaluate modalitiy (did you mean modality?), smoking\n"
              "  see      cairn cohort fields, for what can be asked\n"
              "  policy   operators see exact counts for operations\n"
              "  rule     20-operators.lua:operator-count\n"
              "  record   REQUEST\n", "cairn count, unsupported")
        equal(node.count(question, status=1)["suggestions"], {"modalitiy": "modality"}, "suggestions")


def test_the_ledger_says_what_was_asked_and_what_kind_of_answer_it_got():
    with Node(plugins=("cohort",)) as node:
        node.start()
        def fields(request, kind):
            return [r["fields"] for r in node.json("ledger", "show", "--request", request)["records"]
                    if r["kind"] == kind]
        answer = node.count("sex = female and smoking = yes", level="studies", status=1)
        said = wait_for("the outcome", 10, lambda: fields(answer["request_id"], "outcome"))[0]
        equal((said["kind"], said["level"]), ("UNSUPPORTED", "STUDY"), "kind, level")
        contains(said["criteria"], "smoking", "criteria")
        contains(said["expression"], "female", "what was asked")
        denied = node.count("sex = female", status=1, purpose="employment")
        contains(fields(denied["request_id"], "decision")[0]["expression"], "female",
                 "what was asked and denied")


def test_what_can_be_asked_is_said_and_can_be_asked():
    with Node(plugins=("cohort",)) as node:
        node.start()
        fields = {f["name"]: f for f in node.json("cohort", "fields")["fields"]}
        for field in fields.values():
            equal(node.count(field["example"])["answer"], "exact", field["example"])
            if field["values"]:
                node.count(f'{field["name"]} in ({", ".join(field["values"])})')
        equal((fields["sex"]["values"], fields["model"]["values"]), (["female", "male", "other", "unknown"], None),
              "closed and open lists")
        equal((fields["age"]["min"], fields["age"]["max"], fields["age"]["unit"]), (0, 150, "a"), "age")
        equal(fields["study_date"]["max"], "9999-12-31", "the last date")
        equal(text(node, "cohort", "fields", "age", "sex"),
              "age  (number of a study)\n"
              "  Age of the patient at imaging, in years; 90 stands for 90 and older\n"
              "  operators  = != < <= > >= in between exists\n"
              "  values     0 to 150 years\n"
              "  example    age between 40 and 60\n"
              "\n"
              "sex  (code of a patient)\n"
              "  Patient's Sex (0010,0040), or the record's\n"
              "  operators  = != in exists like\n"
              "  values     female male other unknown\n"
              "  example    sex = female\n", "cairn cohort fields age sex")
        node.cairn("cohort", "fields", "modalty", status=1)
        contains(node.stderr, "no field 'modalty'; did you mean 'modality'?", "a misspelt field")
        node.cairn("plugin", "disable", "cohort")
        node.cairn("cohort", "fields", status=1)
        contains(node.stderr, "is the plugin enabled?", "without the cohort engine")


def on_terminal(*args):
    """What `cairn` writes to a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(BIN / "cairn", ["cairn", *args])
    out = b""
    try:
        while part := os.read(fd, 4096):
            out += part
    except OSError:
        pass
    os.close(fd)
    os.waitpid(pid, 0)
    return out.decode()


def test_colours_are_for_terminals():
    with Node(plugins=()) as node:
        contains(on_terminal("--home", str(node.home), "check"), "\x1b[32mok  \x1b[0m", "on a terminal")
        os.environ["NO_COLOR"] = "1"
        try:
            assert "\x1b" not in on_terminal("--home", str(node.home), "check"), "with NO_COLOR"
        finally:
            del os.environ["NO_COLOR"]


def test_text_from_outside_cannot_control_the_terminal():
    nasty = b"\x1b]0;owned\x07 \x9b31m \xc2\x9b31m \xff \x7f \xc3\xa4\n"
    with Node(plugins=("cohort",)) as node:
        node.start()
        log = node.home / "log/cohort.log"
        log.write_bytes(nasty)
        done = subprocess.run([BIN / "cairn", "--home", node.home, "plugin", "logs", "cohort"],
                              capture_output=True, check=True)
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]| \x9b", done.stdout), done.stdout
        contains(done.stdout, "\u00e4".encode(), "what is text stays")
        equal(len(node.json("plugin", "logs", "cohort")["lines"]), 1, "lines as JSON")
        policy = node.home / "policies/99-bad.lua"
        policy.write_bytes(b"error('\x1b[2J\xff')\n")
        text(node, "check", status=1)
        checks = node.json("check", status=1)["checks"]
        assert any(c["what"] == "policies" and not c["ok"] for c in checks), checks


def test_the_timeout_holds_for_a_node_that_hangs():
    with Node(plugins=()) as node:
        node.start(wait=False)
        wait_for("answers", 10, lambda: node.json("status", status=None).get("node"))
        node.process.send_signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            contains(node.cairn("--json", "--timeout", "0.2", "status", status=1),
                     "the node does not answer", "the error")
            took = time.monotonic() - begin
            assert took < 5, f"{took:.1f} s"
        finally:
            node.process.send_signal(signal.SIGCONT)


def test_paths_with_spaces_are_imported():
    with Node() as node:
        node.start()
        files = synth(node.dir / "pacs", 3, matrix=32)
        first, second = node.dir / "a folder", node.dir / "b \u00e4 'folder'"
        first.mkdir()
        second.mkdir()
        shutil.copy(files[0], first / "one file.dcm")
        shutil.copy(files[1], second / "-n.dcm")
        done = node.json("import", str(first / "one file.dcm"), str(second))
        equal((done["files"], done["imported"]), (2, 2), "files, imported")
        contains(node.cairn("--json", "import", str(node.dir / "no such"), status=1), "no such",
                 "the error")


def test_what_a_folder_of_images_holds_beside_them_is_said():
    with Node() as node:
        synth(node.dir / "pacs", 2)
        (node.dir / "pacs/0.ndjson").write_text('{"resourceType": "Patient", "id": "1"}\n')
        node.start()
        said = node.cairn("import", str(node.dir / "pacs"), status=1)  # one is no image
        contains(node.stderr, "there are FHIR resources (.json, .ndjson) too: name them", "what is left out")
        images = len([f for f in (node.dir / "pacs").rglob("*") if f.is_file()]) - 1
        contains(said, f"{images} imported", "the images")


def test_an_interrupted_import_is_cancelled():
    with Node() as node:
        node.start()
        files = synth(node.dir / "pacs", 40, matrix=256)
        command = [BIN / "cairn", "--home", node.home, "import", node.dir / "pacs"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline() # the first progress
        process.send_signal(signal.SIGINT)
        words = process.communicate()[1].decode()
        assert process.returncode != 0, "an interrupted import"
        so_far = re.search(r"(\d+) of (\d+) files were done: (\d+) imported", words)
        assert so_far and int(so_far[2]) == len(files), words
        contains(words, "run the same command again to go on", "what to do")
        wait_for("no call under way", 10, lambda: node.json("status")["node"]["calls"] == 0)
        outcome = wait_for("the outcome on disk", 10, lambda: [
            r for r in node.json("ledger", "tail")["records"] if r["kind"] == "outcome"])[-1]
        equal((outcome["verdict"], outcome["reason"]), ("failed", "cancelled by the caller"), "outcome")
        log = node.home / "log/dicom.log"
        line = wait_for("the import ended", 20,
                        lambda: re.search(r"import: (\d+) imported", log.read_text()))
        imported = int(line.group(1))
        assert int(so_far[3]) <= imported < len(files), f"{so_far[3]}, {imported} of {len(files)}"
        print(f"        {imported} of {len(files)} imported before the interrupt")
        again = node.json("import", str(node.dir / "pacs"))
        equal((again["refused"], again["imported"] + again["duplicates"]), (0, len(files)), "the next")
        assert again["duplicates"] >= int(so_far[3]), f"{again} after {so_far[0]}"


def test_an_import_that_loses_the_node_says_how_far_it_was_and_that_is_durable():
    with Node() as node:
        node.start()
        files = synth(node.dir / "pacs", 40, matrix=256)
        command = [BIN / "cairn", "--home", node.home, "import", node.dir / "pacs"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline() # the first progress
        node.kill()
        words = process.communicate()[1].decode()
        equal(process.returncode, 1, "the exit status")
        contains(words, "the node stopped before it answered", "what happened")
        done = int(re.search(r"files were done: (\d+) imported", words)[1])
        node.start()
        again = node.json("import", str(node.dir / "pacs"))
        assert again["duplicates"] >= done > 0, f"{again}, said: {words}"
        equal(again["imported"] + again["duplicates"], len(files), "all of them in the end")


def test_the_doctor_counts_refusals_as_the_import_does():
    with Node() as node:
        node.start()
        files = synth(node.dir / "pacs", 2)
        (node.dir / "pacs/notes.txt").write_text("no DICOM")
        files[0].write_bytes(files[0].read_bytes()[:300])
        refused = node.json("import", str(node.dir / "pacs"), status=1)["refused"]
        equal(refused, 2, "refused by the import")
        contains(node.cairn("doctor"), f"{refused} refused", "the doctor")


def test_an_export_leaves_the_same_and_refuses_what_differs():
    with Node() as node:
        node.start()
        synth(node.dir / "pacs", 3, matrix=32)
        node.cairn("import", str(node.dir / "pacs"))
        count = node.indexed()
        node.cairn("export", "*", str(node.home / "objects/out"), "--purpose", "operations", status=1)
        contains(node.stderr, "nothing was exported: name a folder outside it", "into the home")
        args = ["export", "*", str(node.dir / "out"), "--purpose", "operations"]
        equal(node.json(*args)["written"], count, "written")
        again = node.json(*args)
        equal((again["written"], again["present"]), (0, count), "written, present the second time")
        file = sorted((node.dir / "out").rglob("*.dcm"))[0]
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        again = node.json(*args, status=1)
        equal((again["present"], again["failed"]), (count - 1, 1), "present, failed")
        contains(node.stderr, "is there already and differs", "the error")


if __name__ == "__main__":
    main(globals())
