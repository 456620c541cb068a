# SPDX-License-Identifier: Apache-2.0
"""The command line: exit codes, JSON whose keys stay, help, and errors that say what to do."""

import subprocess

from harness import BIN, Node, contains, equal, main

KEYS = {
    "status": ["ledger", "node", "plugins", "policy", "queues"],
    "count": ["answer", "count", "criteria", "expression", "level", "min_cell", "reason",
              "request_id", "rounded_to", "rule"],
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
COMMANDS = """init run check status,plugin list,plugin enable,plugin disable,plugin restart
plugin info,plugin logs,import count export,ledger tail,ledger show,ledger verify,job list,call"""


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


def test_every_command_has_help_with_an_example():
    for command in COMMANDS.replace("\n", ",").split(","):
        for name in [command] if " " in command and command.split()[0] in (
                "plugin", "ledger", "job") else command.split():
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


if __name__ == "__main__":
    main(globals())
