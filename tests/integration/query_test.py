# SPDX-License-Identifier: Apache-2.0
"""Questions as other systems ask them: Lens syntax trees, Beacon requests, and how they are counted."""

import json
import subprocess

from harness import BIN, RESEARCHER, Node, contains, equal, main, synth

PROSTATE = {"operand": "OR", "children": [{"operand": "AND", "children": [
    {"operand": "OR", "children": [{"key": "RID10311", "type": "EQUALS", "system": "",
                                    "value": "RID10321"}]}]}]}


def cairn(*args, status=0, given=None):
    done = subprocess.run([str(BIN / "cairn"), *args], capture_output=True, text=True, input=given)
    equal(done.returncode, status, f"exit status of cairn {' '.join(args)}\n{done.stderr}")
    return done.stdout if status == 0 else done.stderr


def test_translations_need_no_node_and_lose_nothing():
    lens = cairn("cohort", "translate", "--to", "lens", "sex = male and psa >= 4").strip()
    equal(json.loads(lens)["children"][0]["key"], "SNOMEDCT263495000", "EUCAIM's key")
    equal(cairn("cohort", "translate", "--lens", "-", given=lens),
          "sex = male and psa between 4 and *\n", "read back")
    equal(cairn("cohort", "translate", "--lens", "-", "--to", "lens", given=lens), lens + "\n",
          "written again")
    beacon = cairn("cohort", "translate", "--to", "beacon",
                   "diagnosis in icd10:C34 and variant (EGFR, L858R)")
    equal(cairn("cohort", "translate", "--beacon", "-", "--to", "beacon", given=beacon), beacon,
          "Beacon, written again")
    contains(cairn("cohort", "translate", "--to", "lens", "same study (sex = male)", status=1),
             'Lens cannot say "same"', "what would be lost")
    contains(cairn("cohort", "translate", "--to", "xml", "*", status=2), "text, lens or beacon", "usage")
    contains(cairn("cohort", "translate", "--lens", "-", "*", status=2), "one expression", "usage")


def test_a_site_may_add_its_own_keys():
    with Node(plugins=("cohort",)) as node:
        table = node.dir / "keys.tsv"
        table.write_text("# ours\ngender\tm\tsex\t=\tmale\n")
        leaf = '{"key":"gender","type":"EQUALS","value":"m"}'
        equal(cairn("cohort", "translate", "--lens", "-", "--keys", str(table), given=leaf),
              "sex = male\n", "a key of the site")
        contains(cairn("cohort", "translate", "--lens", "-", status=2, given=leaf),
                 'unknown Lens key "gender"', "without the table")
        table.write_text("gender\tm\tsexx\t=\tmale\n")
        contains(cairn("cohort", "translate", "--lens", "-", "--keys", str(table), status=2, given=leaf),
                 "line 1: the third column", "a wrong line")


def test_other_spellings_are_counted_like_the_text_and_unknown_keys_are_refused():
    with Node() as node:
        synth(node.dir / "pacs", 20)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        node.indexed()
        expected = node.count("modality = CT")["count"]
        assert expected > 0, expected
        lens = node.dir / "lens.json"
        lens.write_text(json.dumps({"ast": PROSTATE, "id": "1"}))
        asked = node.json("count", "--lens", str(lens), "--purpose", "operations")
        equal((asked["count"], asked["expression"]), (expected, "modality = CT"), "by Lens")
        beacon = node.dir / "beacon.json"
        beacon.write_text('[{"id":"modality","operator":"=","value":"CT"}]')
        equal(node.json("count", "--beacon", str(beacon), "--purpose", "operations")["count"], expected,
              "by Beacon")
        lens.write_text('{"key":"RID1","type":"EQUALS","value":"RID10321"}')
        node.cairn("count", "--lens", str(lens), "--purpose", "operations", status=2)
        contains(node.stderr, 'unknown Lens key "RID1"', "never dropped")
        node.cairn("count", "--lens", str(node.dir / "none"), "--purpose", "operations", status=1)
        contains(node.stderr, "No such file", "a file that is not there")


def test_an_explanation_has_a_number_for_each_part():
    with Node() as node:
        synth(node.dir / "pacs", 20)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        node.indexed()
        count = node.count("modality = CT and age > 1")["count"]
        said = node.json("cohort", "explain", "modality = CT and age > 1", "--purpose", "operations")
        steps = [s for s in said["steps"] if s["depth"] == 0]
        equal((len(steps), steps[0]["count"]), (1, count), "the whole")
        parts = [s["what"] for s in said["steps"] if s["depth"] == 1]
        equal(sorted(parts), ["age > 1", "modality = CT"], "its parts")
        answer = node.json("cohort", "explain", "modality = CT", "--purpose", "scientific-research",
                           "--as", "nobody@example.org", status=1)
        assert "steps" not in answer, answer


def test_a_cohort_is_counted_by_the_values_of_a_field():
    with Node() as node:
        synth(node.dir / "pacs", 20)
        node.start()
        node.json("import", str(node.dir / "pacs"))
        node.indexed()
        ask = ["--purpose", "operations"]
        for by in ("sex", "modality", "sex,modality"):
            answer = node.json("cohort", "breakdown", "*", "--by", by, *ask)
            equal(answer["answer"], "exact", by)
            for cell in answer["cells"]:
                both = " and ".join(f'{field} = "{value}"'
                                    for field, value in zip(by.split(","), cell["values"]))
                equal(cell["count"], node.count(both)["count"], both)
        contains(node.cairn("cohort", "breakdown", "*", "--by", "sex", *ask), "female", "for people")
        ages = node.json("cohort", "distribution", "*", "--of", "age", "--from", "0", "--to", "100",
                         "--bins", "4", *ask)["bins"]
        equal([(b["from"], b["to"]) for b in ages], [(0, 25), (25, 50), (50, 75), (75, 100)], "the bins")
        equal(ages[1]["count"], node.count("age >= 25 and age < 50")["count"], "a bin")
        unknown = node.cairn("cohort", "breakdown", "*", "--by", "shoe_size", *ask, status=1)
        contains(unknown + node.stderr, "shoe_size", "an unknown field")
        shown = node.json("cohort", "breakdown", "*", "--by", "sex", "--purpose", "statistics", "--as",
                          RESEARCHER)
        assert all(cell["count"] % 5 == 0 for cell in shown["cells"]), shown
        bins = node.json("cohort", "distribution", "*", "--of", "age", "--purpose", "statistics", "--as",
                         RESEARCHER)["bins"]
        assert all(b["answer"] in ("rounded", "suppressed") for b in bins), bins
        plan = node.json("cohort", "explain", "sex = female and modality = CT", "--purpose",
                         "statistics", "--as", RESEARCHER)
        equal((plan["plan_only"], [step["count"] for step in plan["steps"]]), (True, [None, None, None]),
              "a plan without numbers")
        contains(node.cairn("cohort", "explain", "sex = female", "--purpose", "statistics", "--as", RESEARCHER),
                 "shows no numbers here", "what people read")


if __name__ == "__main__":
    main(globals())
