# SPDX-License-Identifier: Apache-2.0
"""Whatever a policy does, the question is denied with the reason and the kernel answers the next."""

import time

from harness import Node, contains, equal, main

# name -> (the rule's body, what the reason must say)
BAD = {
    "loops for ever": ("while true do end", "instruction"),
    "allocates without end": ("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) end",
                               ("memory", "processor time")),
    "matches a pathological pattern": (
        "if match(('a'):rep(40), '(a+)+$b|(a?){30}a{30}x') then return permit('x') end",
        "pattern exceeded its limit"),
    "fails": ("error('broken on purpose')", "broken on purpose"),
    "calls what is not there": ("return no_such_function()", "no_such_function"),
    "returns nonsense": ("return 42", "returned"),
    "recurses without end": ("local function f() return 1 + f() end return f()", "memory"),
}


def words(expected):
    return expected if isinstance(expected, tuple) else (expected,)


RULE = """rule {
  name = "bad",
  subjects = { "cohort.count" },
  decide = function(q)
    if q.purpose == "quality-assurance" then
      %s
    end
  end,
}
"""


def test_a_bad_rule_denies_with_the_reason_and_the_next_question_is_answered():
    for name, (body, expected) in BAD.items():
        with Node(plugins=("cohort",)) as node:
            (node.home / "policies/99-bad.lua").write_text(RULE % body)
            node.start()
            begin = time.monotonic()
            node.count("*")
            usual = time.monotonic() - begin
            answer = node.count("*", status=1, purpose="quality-assurance")
            equal(answer["answer"], "denied", f"a rule that {name}")
            contains(answer["rule"], "99-bad.lua:bad", f"the rule of a policy that {name}")
            reason = answer["reason"].lower()
            # Whichever limit comes first: a slow build runs out of time before memory.
            assert any(word in reason for word in words(expected)), f"{name}: {reason}"
            begin = time.monotonic()
            equal(node.count("*")["count"], 0, f"the next question after a rule that {name}")
            slower = time.monotonic() - begin - usual
            assert slower < 0.1 + usual * 5, f"{name}: the next answer took {slower:.3f} s more"


def test_a_policy_that_cannot_be_loaded_stops_the_start_with_file_and_line():
    with Node(plugins=("cohort",)) as node:
        (node.home / "policies/99-bad.lua").write_text("rule {\n  name = 'x',\n  decide = \n}\n")
        checks = node.json("check", status=1)["checks"]
        detail = next(c["detail"] for c in checks if c["what"] == "policies")
        contains(detail, "99-bad.lua:4", "what `cairn check` says")


def test_researchers_do_not_get_records():
    with Node() as node:
        node.start()
        out = str(node.dir / "out")
        text = node.cairn("--json", "export", "*", out, "--purpose", "scientific-research", "--as",
                          "alice@example.org", status=1)
        contains(text, '"denied"', "an export by a researcher")


if __name__ == "__main__":
    main(globals())
