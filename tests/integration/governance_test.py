# SPDX-License-Identifier: Apache-2.0
"""What officers live with: policies are tried without data, reloaded when proven, and the ledger
says what was asked, what left, and who sent images."""

import signal
import subprocess

from harness import RESEARCHER, Node, contains, equal, main, need_program, wait_for


def records(node, **wanted):
    found = node.json("ledger", "tail", "--records", "1000")["records"]
    return [r for r in found if all(r[key] == value for key, value in wanted.items())]


def edit(node, name, old, new):
    path = node.home / "policies" / name
    text = path.read_text()
    assert old in text, f"{name} has no {old!r}"
    path.write_text(text.replace(old, new))


def test_a_changed_policy_decides_once_it_is_reloaded():
    with Node(plugins=("cohort",)) as node:
        node.start()
        ask = {"purpose": "statistics", "who": RESEARCHER}
        contains(node.count("*", **ask)["reason"], "under 10 patients", "the policy at the start")
        equal(node.json("status")["policy"]["differs"], False, "right after the start")
        edit(node, "settings.yaml", "minimum_cell: 10", "minimum_cell: 20")
        equal(node.json("status")["policy"]["differs"], True, "after an edit")
        contains(node.cairn("status"), "cairn reload", "what status advises")
        contains(node.count("*", **ask)["reason"], "under 10 patients", "before the reload")
        contains(node.cairn("check"), "cases in policies/cases are decided otherwise", "check, of cases")
        answer = node.json("reload")
        contains(str(answer["warnings"]), "`cairn policy test` shows how", "reload, of cases")
        equal(answer["changed"], True, "whether the reload changed something")
        contains(node.count("*", **ask)["reason"], "under 20 patients", "after the reload")
        equal(node.json("reload")["changed"], False, "a second reload")
        wait_for("reload recorded", 5, lambda: records(node, kind="policy", verdict="reloaded"))
        change, = records(node, kind="policy", verdict="reloaded")
        contains(change["principal"], "local:", "who reloaded")
        equal(change["fields"]["policy"], f"{answer['before']} -> {answer['digest']}", "digests")
        contains(change["fields"]["settings.yaml"], " -> ", "the file's digests")
        equal(change["fields"]["settings.minimum_cell"], "10 -> 20", "the setting")
        equal([f for f in change["fields"] if f.startswith("settings.")],
              ["settings.yaml", "settings.minimum_cell"], "what changed")


def test_a_wrong_policy_is_not_taken_and_the_old_one_decides_on():
    with Node(plugins=("cohort",)) as node:
        node.start()
        for name, old, new, expected in (
                ("settings.yaml", "minimum_cell: 10", "minimun_cell: 10", "settings.yaml:8: unknown key"),
                ("settings.yaml", "role: researcher", "role: reseacher", "did you mean 'researcher'?"),
                ("30-researchers.lua", "min_cell =", "min_cel =",
                 "the obligation 'min_cel' is not one that 'cohort.count' carries out"),
                ("10-purpose.lua", "return deny", "retrun deny", "10-purpose.lua:")):
            edit(node, name, old, new)
            error = node.json("reload", status=1)["error"]
            contains(str(error), expected, f"the fault of {new}")
            contains(node.cairn("check", status=1), expected, f"what check says of {new}")
            contains(str(error), "the next start will fail until this is repaired", "the warning")
            contains(node.cairn("status"), "`cairn check` shows what is wrong", "what status advises")
            equal(node.count("*", purpose="statistics", who=RESEARCHER)["rule"],
                  "30-researchers.lua:rounded-counts", "the old policy")
            edit(node, name, new, old)
        wait_for("refusals recorded", 5, lambda: len(records(node, kind="policy", verdict="kept")) == 4)
        equal(node.json("reload")["changed"], False, "after all is as it was")


def test_a_hangup_reloads():
    with Node(plugins=("cohort",)) as node:
        node.start()
        edit(node, "settings.yaml", "rounding: 5", "rounding: 10")
        node.process.send_signal(signal.SIGHUP)
        wait_for("reload", 10, lambda: not node.json("status")["policy"]["differs"])
        contains((node.dir / "node.log").read_text(),
                 "cases in policies/cases are decided otherwise", "what the log says of cases")
        contains(node.count("*", purpose="statistics", who=RESEARCHER)["reason"], "rounded to 10",
                 "the new policy")


def test_a_wrong_role_stops_the_start():
    with Node(plugins=("cohort",)) as node:
        edit(node, "settings.yaml", "role: researcher", "role: reseacher")
        node.start(wait=False)
        equal(node.process.wait(30), 1, "exit status")
        contains((node.dir / "node.log").read_text(), "did you mean 'researcher'?", "why")


def test_a_policy_without_rules_fails_the_check():
    with Node(plugins=("cohort",)) as node:
        for path in (node.home / "policies").glob("*.lua"):
            path.unlink()
        contains(node.cairn("check", status=1), "there is no rule", "what check says")


def test_policies_are_asked_and_tested_without_a_node():
    with Node(plugins=("cohort",)) as node:
        equal(node.json("policy", "test")["wrong"], 0, "cases of a fresh home")
        answer = node.json("policy", "ask", "cohort.count", "--as", RESEARCHER, "--purpose", "statistics")
        equal((answer["verdict"], answer["obligations"]), ("permit", {"min_cell": 10, "round": 5, "difference": 10, "budget": 500}),
              "a researcher's count")
        answer = node.json("policy", "ask", "cohort.count", "--as", RESEARCHER, "--purpose", "statistics",
                           "--permit", "P-1", status=1)
        equal(answer["rule"], "kernel:permit", "an unknown permit")
        edit(node, "settings.yaml", "permits:\n", "permits:\n  P-1: {principal: " + RESEARCHER +
             ", purpose: statistics, expires: 2999-12-31}\n")
        node.json("policy", "ask", "cohort.count", "--as", RESEARCHER, "--purpose", "statistics",
                  "--permit", "P-1")
        edit(node, "settings.yaml", "minimum_cell: 10", "minimum_cell: 11")
        failed = node.json("policy", "test", status=1)
        problems = str([c["problem"] for c in failed["cases"] if not c["ok"]])
        contains(problems, "default.yaml:", "where a case differs")
        contains(problems, "the obligation 'min_cell': expected 10, found 11", "how it differs")
        contains(node.cairn("policy", "test", status=1), "let the cases follow it", "what to do")
        edit(node, "settings.yaml", "- scientific-research", "- scientific-reserch")
        contains(node.cairn("check"), "did you mean 'scientific-research'?", "a misspelt purpose")


def test_outcomes_say_what_was_asked_and_what_left():
    with Node() as node:
        node.start()
        asked = node.count("modality = CT and age >= 50", purpose="statistics", who=RESEARCHER)
        exact = node.count("sex = female", level="studies")
        show = lambda answer: node.json("ledger", "show", "--request", answer["request_id"])["records"]
        wait_for("outcomes", 5, lambda: len(show(asked)) == 2 and len(show(exact)) == 2)
        fields = show(asked)[1]["fields"]
        equal(fields["kind"], "SUPPRESSED", "the answer's kind")
        assert "count" not in fields, "a suppressed count must not be in the ledger"
        text = node.cairn("ledger", "show", "--request", asked["request_id"])
        contains(text, "modality = CT and age >= 50", "what a person reads")
        contains(node.cairn("ledger", "tail"), "sex = female: 0 STUDY", "the line of an exact count")
        (node.dir / "in").mkdir()
        (node.dir / "in" / "x.dcm").write_text("no DICOM")
        node.cairn("import", str(node.dir / "in"), status=1)
        wait_for("import", 5, lambda: records(node, kind="outcome", subject="imaging.import"))
        fields = records(node, kind="outcome", subject="imaging.import")[0]["fields"]
        equal((fields["paths"], fields["refused"]), (str(node.dir / "in"), "1"), "an import's outcome")
        assert "x.dcm" not in str(fields), "names of files may name patients"
        denied = node.count("modality = MR", status=1, purpose="insurance", who=RESEARCHER)
        contains(show(denied)[0]["fields"]["expression"], "modality", "what was denied")
        equal(node.json("ledger", "verify")["intact"], True, "the ledger")


def test_a_researcher_has_so_many_answers_a_day():
    with Node(plugins=("cohort",)) as node:
        edit(node, "settings.yaml", "answers_per_day: 500", "answers_per_day: 2")
        node.start()
        ask = {"purpose": "statistics", "who": RESEARCHER}
        node.count("*", **ask)
        node.count("sex = female", **ask)
        spent = node.count("*", status=1, **ask)
        contains(spent["reason"], "the 2 answers a day", "why the third is denied")
        node.count("*")  # others have their own
        equal(node.stop(), 0, "exit status")
        node.start()
        equal(node.count("*", status=1, **ask)["reason"], spent["reason"], "after a restart")
        kinds = [r["verdict"] for r in records(node, kind="decision", principal=RESEARCHER)]
        equal(kinds, ["permit", "permit", "deny", "deny"], "the ledger")


def test_associations_are_in_the_ledger():
    need_program("echoscu")
    with Node(settings={"peers": "[GOOD]"}) as node:
        node.start()
        call = lambda title: subprocess.run(
            ["echoscu", "-aet", title, "127.0.0.1", str(node.port)], capture_output=True).returncode
        equal(call("GOOD"), 0, "an allowed peer")
        for _ in range(13):
            assert call("BAD") != 0, "a stranger must be refused"
        wait_for("records", 10, lambda: len(records(node, kind="report")) >= 11)
        done, = records(node, kind="report", verdict="done")
        equal((done["subject"], done["principal"]), ("imaging.store", "plugin:dicom"), "the record")
        equal((done["fields"]["calling"], done["fields"]["peer"], done["fields"]["stored"]),
              ("GOOD", "127.0.0.1", "0"), "what it says")
        refused = records(node, kind="report", verdict="refused")
        equal(len(refused), 10, "refusals in their first minute")
        contains(refused[0]["reason"], "peers", "why")
        equal(node.stop(), 0, "exit status")
        contains(records(node, kind="report")[-1]["reason"], "3 more associations", "the others' count")


if __name__ == "__main__":
    main(globals())
