# SPDX-License-Identifier: Apache-2.0
"""From what a laboratory sends to a count of patients without images."""

from harness import equal, main, wait_for
from hl7v2_test import Hl7Node, Mllp, message


def result(value, day):
    return (f"OBR|1\rOBX|1|NM|2857-1^PSA^LN||{value}|ng/mL|||||F|||{day}\r"
            "OBX|2|CWE|22637-3^Diagnosis^LN||C61^^I10|||||F\r")


def test_results_are_entries_of_patients_without_images():
    with Hl7Node().start() as node:
        sender = Mllp(node.port)
        for i in range(15):
            text = message("ORU^R01", i, patient=f"5{i:03}", more=result(4 + i, f"202401{i + 10}"))
            equal(sender.ask(text), "AA", "a result")
        wait_for("the facts are taken", 20, lambda: node.facts()[0] == 0)
        equal(node.count("*")["count"], 15, "patients")
        equal(node.count("*", level="studies")["count"], 0, "studies")
        equal(node.count("observation = loinc:2857-1")["count"], 15, "patients with a PSA")
        equal(node.count("same observation (observation = loinc:2857-1 and "
                         "observation_value >= 9)")["count"], 10, "with a high PSA")
        # The same result once more is the same one.
        equal(sender.ask(message("ORU^R01", 99, patient="5000", more=result(4, "20240110"))), "AA",
              "sent again")
        wait_for("the facts are taken", 20, lambda: node.facts()[0] == 0)
        answer = node.count("at least 2 observations (observation = loinc:2857-1)")
        equal(answer.get("count", 0), 0, "patients with two")


if __name__ == "__main__":
    main(globals())
