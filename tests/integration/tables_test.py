# SPDX-License-Identifier: Apache-2.0
"""Tables of clinical variables through a real node: drafted, checked, imported, counted, replaced."""

import pathlib
import zipfile

from harness import Node, equal, main, wait_for

HEADER = "PatientID;Geschlecht;Geburtsdatum;ICD10;Diagnosedatum;PSA;Seite\r\n"
ROWS = ["P1;m;01.02.1950;C61;15.03.2019;4,5;\r\n",
        "P2;w;11.12.1960;C50.1;05.06.2020;;links\r\n",
        "P3;w;30.07.1928;C50;05.06.2020;;rechts\r\n"]

MAPPING = """\
table: registry
separator: ";"
decimal: ","
missing: ["", "k.A."]
patient: {column: PatientID, issuer: HOSP}
facts:
  - {attribute: sex, column: Geschlecht, codes: {m: male, w: female}}
  - {attribute: birth_date, column: Geburtsdatum, date: DD.MM.YYYY}
entries:
  - kind: condition
    facts:
      - {attribute: diagnosis, column: ICD10, prefix: icd10}
      - {attribute: diagnosis_date, column: Diagnosedatum, date: DD.MM.YYYY}
      - {attribute: laterality, column: Seite, codes: {links: left, rechts: right}}
  - kind: observation
    facts:
      - {attribute: observation, value: "loinc:2857-1"}
      - {attribute: psa, column: PSA, unit: ug/L}
"""


def files(node, rows=None, mapping=MAPPING):
    table, file = node.dir / "registry.csv", node.dir / "registry.yaml"
    table.write_text(HEADER + "".join(ROWS if rows is None else rows), newline="")
    file.write_text(mapping)
    return str(table), "--mapping", str(file)


def counts(node, expected):
    def same():
        for expression, count in expected.items():
            answer = node.count(expression, status=None)
            if node.status != 0 or answer["count"] != count:
                return False
        return True
    try:
        wait_for("the counts", 20, same)
    except AssertionError:
        for expression, count in expected.items():
            equal(node.count(expression)["count"], count, expression)


def test_a_table_is_imported_and_counted():
    with Node(plugins=("table", "cohort")).start() as node:
        done = node.json("table", "import", *files(node))
        equal((done["imported"], done["rows"], done["patients"], done["entries"]),
              (True, 3, 3, 4), "what was imported")
        counts(node, {"sex = female": 2, "diagnosis in icd10:C50": 2, "psa between 4 and 5": 1,
                      "same condition (diagnosis = icd10:C50.1 and laterality = left)": 1,
                      "age_at_diagnosis = 90": 1})
        # Another file of the same name replaces it; the same file changes nothing.
        done = node.json("table", "import", *files(node, ROWS[:1] + [ROWS[1].replace("C50", "C34")]))
        equal((done["patients"], done["changed"], done["gone"]), (2, 1, 1), "the second import")
        counts(node, {"*": 2, "diagnosis in icd10:C50": 0, "diagnosis in icd10:C34": 1})
        equal(node.json("table", "import", *files(node, ROWS[:1] + [ROWS[1].replace("C50", "C34")]))
              ["changed"], 0, "changes of the same file")


def test_a_bad_row_imports_nothing_and_is_said():
    bad = ["P4;x;01.02.1950;C61;15.13.2019;4,5;\r\n", "P1;w;01.02.1950;C61;15.03.2019;abc;\r\n",
           "SECRET-ID;m;1;C61\r\n"]
    with Node(plugins=("table", "cohort")).start() as node:
        golden = (pathlib.Path(__file__).parents[1] / "golden" / "table_errors.txt").read_text()
        told = node.cairn("table", "check", *files(node, ROWS + bad), status=1)
        equal(told.replace(str(node.dir), "DIR"), golden, "the report")
        done = node.json("table", "import", *files(node, ROWS + bad), status=1)
        equal((done["imported"], done["bad_rows"]), (False, 3), "the import")
        counts(node, {"*": 0})
        done = node.json("table", "import", *files(node, ROWS + bad), "--skip-bad-rows")
        equal((done["imported"], done["patients"], done["bad_rows"]), (True, 3, 3), "the rest")
        told = node.json("table", "check", *files(node, mapping=MAPPING.replace("attribute: sex",
                         "attribute: sexx")), status=1)
        equal("did you mean 'sex'" in told["error"]["text"], True, str(told))


def test_a_draft_has_codes_and_no_identifiers():
    with Node(plugins=("table", "cohort")).start() as node:
        table, _, _ = files(node)
        draft = node.cairn("table", "guess", table)
        for part in ('column: "PatientID"', "attribute: sex", '"w": "female"', "DD.MM.YYYY",
                     "attribute: psa", 'decimal: ","', '"links": "left"'):
            equal(part in draft, True, f"{part} in\n{draft}")
        equal("P1" in draft or "1950" in draft, False, draft)
        file = node.dir / "draft.yaml"
        file.write_text(draft)
        equal(node.json("table", "check", table, "--mapping", str(file))["errors"], 0, draft)


def workbook(path):
    cells = [line.strip().split(";") for line in [HEADER] + ROWS]
    rows = "".join(f'<row r="{r + 1}">' + "".join(
        f'<c r="{chr(65 + c)}{r + 1}" t="inlineStr"><is><t>{text}</t></is></c>'
        for c, text in enumerate(row) if text) + "</row>" for r, row in enumerate(cells))
    main_ = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", f'<workbook {main_} xmlns:r="{rel}"><sheets>'
                      '<sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>')
        file.writestr("xl/_rels/workbook.xml.rels", '<Relationships><Relationship Id="rId1" '
                      'Target="worksheets/sheet1.xml"/></Relationships>')
        file.writestr("xl/worksheets/sheet1.xml",
                      f"<worksheet {main_}><sheetData>{rows}</sheetData></worksheet>")


def test_a_workbook_says_the_same():
    with Node(plugins=("table", "cohort")).start() as node:
        _, _, mapping = files(node)
        workbook(node.dir / "registry.xlsx")
        done = node.json("table", "import", str(node.dir / "registry.xlsx"), "--mapping", mapping)
        equal((done["patients"], done["entries"]), (3, 4), str(done))
        counts(node, {"sex = female": 2, "psa between 4 and 5": 1})


if __name__ == "__main__":
    main(globals())
