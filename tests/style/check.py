# SPDX-License-Identifier: Apache-2.0
"""What a script can check of the house style: banned functions, sizes, SPDX lines, include order of
the layers, README lengths.  There is no exception list: a flat switch or table may say
`/* long: why */` and be up to 100 lines; a function that needs more parameters says `/* wide: why */`."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BANNED = ("sprintf strcpy strcat strncpy atoi strtok gets system popen alloca sscanf rand dlclose"
          .split())
FUNCTION_MAX, LONG_MAX, FILE_MAX, COLUMNS, PARAMETERS = 60, 100, 600, 100, 6
problems = []


def problem(path, line, text):
    problems.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def strip(text):
    """Without comments and strings, line numbers kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def check_functions(path, text, code):
    lines = code.split("\n")
    raw = text.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            length = number - start - 1
            named_long = any("/* long:" in l for l in raw[max(0, start - 6):number])
            if length > (LONG_MAX if named_long else FUNCTION_MAX):
                problem(path, start, f"a function of {length} lines; at most {FUNCTION_MAX}")
            start = None


def check_parameters(path, text, code):
    for match in re.finditer(r"^\w[\w ]*\(([^(){};]*)\)\n\{", code, re.M):
        count = sum(1 for p in match.group(1).split(",")
                    if not re.search(r"cairn_error \*err$|ret_\w+$", p.strip()))
        line = code[:match.start()].count("\n") + 1
        said = "/* wide:" in "\n".join(text.split("\n")[max(0, line - 4):line])
        if count > PARAMETERS and not said:
            problem(path, line, f"{count} parameters besides outputs; at most {PARAMETERS}")


def check_layers(path, text):
    top = path.relative_to(ROOT).parts[0]
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'#include "(\w+)/', line)
        if match is None:
            continue
        inner = match.group(1)
        kernel = (ROOT / "kernel" / inner).is_dir() and not (ROOT / "sdk" / inner).is_dir()
        if kernel and top != "kernel" and top != "tests":
            problem(path, number, "includes upwards, from the kernel")


def check_source(path):
    text = path.read_text()
    code = strip(text)
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */"):
        problem(path, 1, "no SPDX line")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line.expandtabs(8)) > COLUMNS:
            problem(path, number, f"longer than {COLUMNS} columns")
    for name in BANNED:
        for match in re.finditer(rf"(?<![\w.>]){name}\s*\(", code):
            problem(path, code[:match.start()].count("\n") + 1, f"banned: {name}")
    if path.name != "main.c" and not re.search("_test|fuzz_|bench_", path.name):
        for match in re.finditer(r"(?<![\w.>])(exit|abort)\s*\(", code):
            problem(path, code[:match.start()].count("\n") + 1, f"{match.group(1)} outside main.c")
    if text.count("\n") > FILE_MAX and "_test" not in path.name:
        problem(path, 1, f"{text.count(chr(10))} lines; at most {FILE_MAX}")
    check_functions(path, text, code)
    if "_test" not in path.name:
        check_parameters(path, text, code)
    check_layers(path, text)


def main():
    for top in ("kernel", "sdk", "plugins", "tests", "proto"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            check_source(path)
        readme = ROOT / top / "README.md"
        if not readme.exists():
            problem(readme, 1, "missing")
    for readme in ROOT.glob("*/README.md"):
        lines = readme.read_text().count("\n")
        if lines > 25 and readme.parent.name != "build":
            problem(readme, 1, f"{lines} lines; at most 25")
    print("\n".join(problems))
    print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
