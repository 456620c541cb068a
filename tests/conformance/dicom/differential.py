#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""differential.py TOOL [DIR]: our codec against pydicom and dcmdump on every file below DIR.

DIR is $CAIRN_SHARED/data/dicom when not given, and CAIRN_SHARED ../shared beside the project.
The files that pydicom brings for its own tests are read too.  For each file:
  - tags, VRs, depths, lengths and value bytes in order, as pydicom reads them;
  - tags, VRs, depths and lengths in order, as dcmdump prints them;
  - the same tokens when the file arrives in small pieces;
  - after writing all tokens again (in the file's own transfer syntax; for native ones also in the
    other three), the data set that pydicom reads is the one it read from the original.

A difference is an error unless CATEGORIES below explains it.  Status 77: nothing to compare with.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, namedtuple

try:
    import pydicom
    from pydicom.dataelem import DataElement_from_raw, RawDataElement
    from pydicom.datadict import dictionary_VR
except ImportError:
    print("skipped: no pydicom for", sys.executable)
    sys.exit(77)

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
DICOMDIR = "1.2.840.10008.1.3.10"
NATIVE = (IMPLICIT, EXPLICIT, BIG, DEFLATED)
UNIT = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4,
        "FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}
SHORT = set("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())

# kind: element, sequence, item or fragment; value: None, or the bytes' SHA-1
Row = namedtuple("Row", "kind depth tag vr length value")

# What explains a difference, each with the reason; report() counts how often each was needed.
CATEGORIES = {
    "implicit VR, several allowed": "PS3.6 allows several VRs and the file does not say which: "
    "we take the first, OW for pixels and overlays (PS3.5 A.1)",
    "implicit VR, private": "the file does not say the VR of a private element: UN for us, "
    "dcmdump knows some makers' dictionaries",
    "implicit VR, newer dictionary": "an attribute that this pydicom or dcmdump does not list yet",
    "fragments as OW": "the file gives encapsulated pixel data the VR OW instead of OB; dcmdump "
    "prints what it should be, we what it is",
    "UN of known elements": "the file gives a standard attribute the VR UN; dcmdump +uc prints what "
    "it should be, we what it is",
    "offset pointers": "dcmdump's own name `up` for the UL offsets of a DICOMDIR",
    "odd length": "dcmdump pads a value of odd length before it prints the length; we give the "
    "length that the file says",
    "group length": "group lengths are retired and not written again",
    "DICOMDIR": "its records point to each other by file offset, so that it cannot be written anew",
    "refused": "not a data set, or not a whole one: see REFUSED",
    "dcmdump refuses": "dcmdump cannot read the file; pydicom agrees with us",
}

# Files that pydicom brings for its own tests, and why we refuse them.
REFUSED = {
    "ExplVR_BigEndNoMeta.dcm": "not DICOM",  # nothing in it says big endian
    "MR_truncated.dcm": "the data ends after",
    "rtplan_truncated.dcm": "the data ends after",
    "meta_missing_tsyntax.dcm": "not DICOM",  # its data set holds one element of group 0001
    "winter.dcm": "it stands here twice",  # dcmdump takes the first UID, pydicom the last
    "no_meta.dcm": "not DICOM",  # begins in the middle of an element
}


def sha1(data):
    return hashlib.sha1(data or b"").hexdigest()


# ---- ours -------------------------------------------------------------------------------------

def run_ours(tool, *arguments):
    run = subprocess.run([tool, *arguments], stdout=subprocess.PIPE, text=True, timeout=120)
    lines = run.stdout.splitlines()
    if run.returncode == 1 and lines and lines[-1].startswith("refused: "):
        return None, lines[-1]
    if run.returncode != 0:
        raise RuntimeError(f"{tool} ended with status {run.returncode}")
    return lines, None


def our_rows(lines):
    rows = []
    for line in lines[1:]:
        depth, kind, tag, vr, length, value = line.split()
        if kind.endswith("-end"):
            continue
        bare = kind in ("sequence", "item")
        rows.append(Row(kind, int(depth), int(tag, 16), None if kind == "item" else vr,
                        None if bare else int(length), None if bare else value))
    return rows


# ---- pydicom ----------------------------------------------------------------------------------

def keep_raw(raw, *arguments, **options):
    """pydicom converts some elements while it reads; this keeps the bytes they were made from."""
    element = DataElement_from_raw(raw, *arguments, **options)
    element.raw = raw
    return element


pydicom.dataset.DataElement_from_raw = keep_raw


def elements(dataset):
    for element in dataset._dict.values():
        if not isinstance(element, RawDataElement) and element.VR != "SQ":
            element = element.raw
        yield element


def fragments(value, depth, tag, vr, big):
    yield Row("sequence", depth, tag, vr, None, None)
    at = 0
    while at + 8 <= len(value):
        if value[at:at + 4] != (b"\xff\xfe\xe0\x00" if big else b"\xfe\xff\x00\xe0"):
            raise ValueError("pydicom's encapsulated value is no row of items")
        length = int.from_bytes(value[at + 4:at + 8], "big" if big else "little")
        data = value[at + 8:at + 8 + length]
        yield Row("fragment", depth + 1, tag, vr, length, sha1(data))
        at += 8 + length


def element_rows(element, depth, big_items, swapped):
    tag, vr = int(element.tag), element.VR
    if isinstance(element, RawDataElement):
        known = vr or implicit_vr(tag)
        value = element.value or b""
        if known == "UN" and value[:4] == b"\xfe\xff\x00\xe0" and implicit_vr(tag) == "SQ":
            known = "SQ"
        if known != "SQ" and element.length == 0xFFFFFFFF:
            yield from fragments(value, depth, tag, known, big_items)
            return
        if known != "SQ":
            if swapped and known in UNIT:
                value = swap(value, UNIT[known])
            yield Row("element", depth, tag, known, len(value), sha1(value))
            return
        element = DataElement_from_raw(element)
    yield Row("sequence", depth, tag, "SQ", None, None)
    for item in element.value:
        yield Row("item", depth + 1, tag, None, None, None)
        yield from dataset_rows(item, depth + 1, big_items, swapped)


def dataset_rows(dataset, depth=0, big_items=False, swapped=False):
    for element in elements(dataset):
        yield from element_rows(element, depth, big_items, swapped)


def implicit_vr(tag):
    try:
        return dictionary_VR(tag)
    except KeyError:
        if tag & 0xFFFF == 0:
            return "UL"
        if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
            return "LO"
        return "UN"


def swap(value, unit):
    whole = len(value) // unit * unit
    out = bytearray(value)
    for i in range(unit):
        out[i:whole:unit] = value[unit - 1 - i:whole:unit]
    return bytes(out)


def pydicom_rows(path, swapped=False):
    """The data set's rows; `swapped`: with the values of a big endian file in little endian."""
    dataset = pydicom.dcmread(path, force=True)
    big = not dataset.is_little_endian
    rows = list(dataset_rows(dataset, big_items=big, swapped=swapped and big))
    return getattr(dataset, "file_meta", {}), rows


# ---- dcmdump ----------------------------------------------------------------------------------

ROW = re.compile(rb"^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (\S\S) (.*)$")
LENGTH = re.compile(rb"# *(\d+|u/l), *\d+ \S.*$")
SKIPPED = (0xFFFEE00D, 0xFFFEE0DD)


def dcmdump(path):
    """Rows and complaints; no rows when it refuses.  A text value may hold line ends, so that a row
    ends with its length.  Complaints are without what differs between two copies of a file."""
    run = subprocess.run(["dcmdump", "+uc", path], capture_output=True, timeout=120)
    complaints = {re.sub(r"offset.*|" + re.escape(path), "", line)
                  for line in run.stderr.decode("latin-1").splitlines()}
    if run.returncode != 0:
        return None, complaints
    rows, row = [], None
    for line in run.stdout.splitlines():
        match = ROW.match(line) if row is None else None
        if match:
            tag = int(match[2] + match[3], 16)
            row = (len(match[1]) // 2, tag, match[4].decode("latin-1"), match[5])
        length = LENGTH.search(line)
        if row is not None and length:
            rows.append((*row, length[1]))
            row = None
    return list(normal_rows(rows)), complaints


def normal_rows(rows):
    """dcmdump indents items one step and their elements another; ours count only sequences."""
    sequence = []
    for indent, tag, vr, text, length in rows:
        depth = (indent + 1) // 2
        if tag >> 16 == 2 or tag in SKIPPED:
            continue
        if tag == 0xFFFEE000:
            owner, fragment = sequence[depth - 1]
            size = int(length) if fragment else None
            yield Row("fragment" if fragment else "item", depth, owner,
                      vr if fragment else None, size, None)
        elif vr == "SQ" or text.startswith((b"(Sequence", b"(PixelSequence")):
            sequence[depth:] = [(tag, text.startswith(b"(PixelSequence"))]
            yield Row("sequence", depth, tag, vr, None, None)
        else:
            yield Row("element", depth, tag, vr, int(length), None)


# ---- comparing --------------------------------------------------------------------------------

def allowed_vrs(tag):
    if tag & 0xFFFF == 0:
        return ["UL"]
    return implicit_vr(tag).split(" or ")


def explain(ours, theirs, implicit, who):
    """The category of a difference between two rows that should be the same, or None."""
    if ours.kind != theirs.kind or ours.depth != theirs.depth or ours.tag != theirs.tag:
        return None
    if who == "dcmdump" and ours.length is not None and ours.length % 2 == 1 and \
            ours.length + 1 == theirs.length and theirs.vr in (ours.vr, "??"):
        return "odd length"
    if who == "dcmdump" and ours.kind == "sequence" and (ours.vr, theirs.vr) == ("OW", "OB"):
        return "fragments as OW"
    if who == "dcmdump" and ours.length == theirs.length and ours.vr == "UN" and \
            theirs.vr in allowed_vrs(ours.tag):
        return "UN of known elements"
    if who == "dcmdump" and ours.length == theirs.length and (ours.vr, theirs.vr) == ("UL", "up"):
        return "offset pointers"
    if ours.length != theirs.length or ours.value != theirs.value:
        return None
    vrs = sorted((ours.vr or "", theirs.vr or ""), key=len)
    if " or " in vrs[1] and vrs[0] in vrs[1].split(" or "):
        return "implicit VR, several allowed"
    if not implicit:
        return None
    if ours.tag >> 16 & 1:
        return "implicit VR, private" if ours.vr == "UN" else None
    if len(allowed_vrs(ours.tag)) > 1:
        return "implicit VR, several allowed" if ours.vr in allowed_vrs(ours.tag) else None
    return "implicit VR, newer dictionary" if theirs.vr == "UN" else None


def compare(who, ours, theirs, implicit, counts):
    if who == "dcmdump":
        ours = [row._replace(value=None) for row in ours]
        ours = [row._replace(vr="pi") if row.kind == "fragment" else row for row in ours]
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a == b:
            continue
        category = explain(a, b, implicit, who)
        if category is None:
            return f"{who}: row {i}: ours {show(a)}, theirs {show(b)}"
        counts[category] += 1
    if len(ours) != len(theirs):
        longer, side = (ours, "ours") if len(ours) > len(theirs) else (theirs, "theirs")
        return f"{who}: {len(ours)} rows, theirs {len(theirs)}; first of {side} alone " \
               f"{show(longer[min(len(ours), len(theirs))])}"
    return None


def show(row):
    return f"{row.kind} {row.depth} ({row.tag >> 16:04x},{row.tag & 0xFFFF:04x}) {row.vr} " \
           f"length {row.length} {row.value}"


def written(rows, read):
    """What `rows` become when written: padded, without group lengths, too long ones as UN."""
    for row in rows:
        if row.kind == "element" and row.tag & 0xFFFF == 0:
            continue
        if row.kind in ("element", "fragment") and row.length % 2 == 1:
            data = read[row.value] + (b" " if row.vr not in UNIT and row.vr in SHORT | {"UC", "UR",
                "UT"} and row.vr != "UI" else b"\0")
            row = row._replace(length=row.length + 1, value=sha1(data))
        yield row


def odd_values(path):
    """The values of odd length by their SHA-1, to know what they are with their padding."""
    found = {}

    def collect(dataset):
        for element in elements(dataset):
            if isinstance(element, RawDataElement):
                value = element.value or b""
                found[sha1(value)] = value
                if (element.VR or implicit_vr(int(element.tag))) == "SQ":
                    element = DataElement_from_raw(element)
            if not isinstance(element, RawDataElement) and element.VR == "SQ":
                for item in element.value:
                    collect(item)

    collect(pydicom.dcmread(path, force=True))
    return found


def rewrite_syntaxes(syntax):
    if syntax not in NATIVE:
        return [syntax]
    if syntax == IMPLICIT:  # its VRs are ours, so that there is nothing to compare them with
        return [IMPLICIT]
    return list(NATIVE)


def check_rewritten(tool, path, syntax, before, counts, work):
    theirs, complaints = before
    rows = list(written(theirs, odd_values(path)))
    counts["group length"] += len(theirs) - len(rows)
    for target in rewrite_syntaxes(syntax):
        out = os.path.join(work, "out.dcm")
        _, why = run_ours(tool, "--rewrite", target, out, path)
        if why:
            return f"rewriting as {target}: {why}"
        _, again = pydicom_rows(out, swapped=True)
        new = dcmdump(out)[1] - complaints if target == syntax else None
        if new:
            return f"rewriting as {target}: dcmdump complains {new}"
        if target == IMPLICIT and syntax != IMPLICIT:
            rows_now = [row._replace(vr=None) for row in rows]
            again = [row._replace(vr=None) for row in again]
        else:
            rows_now = rows
        problem = compare("rewritten as " + target, rows_now, again, False, counts)
        if problem:
            return problem
    return None


def check_file(tool, path, counts, work):
    lines, why = run_ours(tool, path)
    if why:
        expected = REFUSED.get(os.path.basename(path))
        counts["refused"] += 1
        return None if expected and expected in why else why
    ours = our_rows(lines)
    syntax, sop_class, sop_instance = (lines[0].split(" ") + ["", ""])[1:4]
    meta, theirs = pydicom_rows(path)
    implicit = syntax == IMPLICIT
    for keyword, value in (("TransferSyntaxUID", syntax), ("MediaStorageSOPClassUID", sop_class),
                           ("MediaStorageSOPInstanceUID", sop_instance)):
        if str(meta.get(keyword, value)) != value:
            return f"pydicom: {keyword} is {meta.get(keyword)}, ours {value}"
    problem = compare("pydicom", ours, theirs, implicit, counts)
    _, theirs = pydicom_rows(path, swapped=True)
    dumped, complaints = dcmdump(path)
    if dumped is None:
        counts["dcmdump refuses"] += 1
    elif problem is None:
        problem = compare("dcmdump", ours, dumped, implicit, counts)
    for chunk in ("61", "4099"):
        if problem is None and run_ours(tool, "--chunk", chunk, path)[0] != lines:
            problem = f"other tokens in pieces of {chunk} bytes"
    if problem is None and sop_class == DICOMDIR:
        counts["DICOMDIR"] += 1
        return None
    return problem or check_rewritten(tool, path, syntax, (theirs, complaints), counts, work)


def dicom_files(folders):
    for folder in folders:
        for base, names, files in os.walk(folder):
            names[:] = sorted(set(names) - {"dicomdirtests"})  # the same as in the first folder
            for name in sorted(files):
                if not name.endswith((".json", ".tsv", ".md", ".txt", ".dump", ".gz", ".py", ".pyc")):
                    yield os.path.join(base, name)


def report(files, failed, rows):
    print(f"{files} files, {failed} with differences")
    for category, count in sorted(rows.items()):
        if count:
            print(f"  {count} x {category}: {CATEGORIES[category]}")


def shared():
    project = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
    return os.environ.get("CAIRN_SHARED", os.path.join(project, "..", "shared"))


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    tool = sys.argv[1]
    folders = [sys.argv[2] if len(sys.argv) == 3 else os.path.join(shared(), "data", "dicom")]
    if not os.path.isdir(folders[0]):
        print("skipped: no reference files in", folders[0])
        return 77
    if shutil.which("dcmdump") is None:
        print("skipped: no dcmdump (DCMTK)")
        return 77
    data = os.path.join(os.path.dirname(pydicom.__file__), "data")
    folders += [os.path.join(data, name) for name in ("test_files", "charset_files", "palettes")]
    warnings.simplefilter("ignore")
    counts, files, failed = Counter(), 0, 0
    with tempfile.TemporaryDirectory() as work:
        for path in dicom_files(folders):
            files += 1
            problem = check_file(tool, path, counts, work)
            if problem:
                failed += 1
                print(f"{path}: {problem}")
    report(files, failed, counts)
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
