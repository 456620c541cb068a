#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""De-identifies every real file with deid_tool and has pydicom and dcmdump judge the result.

  check.py DEID_TOOL PROFILE_DIR [SHARED]

For each file under SHARED/data/dicom and each of two profiles:
  - pydicom and dcmdump read the result without a warning that the original does not give;
  - the pixel data are the same, bit for bit;
  - (0012,0062)-(0012,0064) and (0028,0303) say what was done, and the patient is the pseudonym;
  - no original value that the profile removes, replaces or empties is anywhere in the result's
    bytes outside the pixel data, unless the same value also stands where the profile keeps it;
  - de-identifying the result again changes neither its patient nor what is left in it.
What the profile asks is read here from profile.tsv, independently of the code under test.  Exit
status 77, with the reason, when the files or pydicom are not there."""

import collections
import os
import re
import subprocess
import sys
import tempfile
import warnings

SKIP = 77
PSEUDONYM = "pseudonym7c4"
PROFILES = {
    "basic": [],
    "research": ["retain-longitudinal-modified-dates", "retain-patient-characteristics",
                 "clean-descriptors", "clean-structured-content", "clean-graphics"],
}
CODES = {"basic": {"113100"}, "research": {"113100", "113103", "113104", "113105", "113107",
                                           "113108"}}
LETTERS = {"retain-longitudinal-modified-dates": "m", "retain-patient-characteristics": "c",
           "clean-descriptors": "t", "clean-structured-content": "s", "clean-graphics": "g"}
# UIDs that name a class, an encoding or a vocabulary.
CLASSES = {0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x0008010D, 0x00080117,
           0x00080118, 0x0008040E, 0x00081150, 0x0008115A, 0x00083002, 0x00089123, 0x00340003,
           0x04000010, 0x04000510, 0x3010001F, 0x30100052, 0x30100053}
CODE_PARTS = {0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119}
PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
WORD = re.compile(rb"[A-Za-z0-9\x80-\xff]+")


def skip(reason):
    print("SKIPPED deid conformance:", reason)
    sys.exit(SKIP)


try:
    import pydicom
    from pydicom.datadict import dictionary_has_tag, dictionary_VR
except ImportError:
    skip("no pydicom")


class Table:
    """profile.tsv and supplement.tsv: tag -> (basic, {letter: K or C})."""

    def __init__(self, folder):
        self.rows = {}
        for name in ("supplement.tsv", "profile.tsv"):
            with open(os.path.join(folder, name), encoding="ascii") as file:
                for line in file:
                    if line.startswith("#") or not line.strip():
                        continue
                    tag, basic, _, options, _ = line.rstrip("\n").split("\t")
                    letters = {} if options == "-" else {o[0]: o[1] for o in options.split(",")}
                    self.rows[tag] = (basic, letters)
        with open(os.path.join(folder, "words.txt"), encoding="ascii") as file:
            text = "".join(line.split("#")[0] + "\n" for line in file)
        self.words = {word.encode() for word in text.split()}

    def fate(self, tag, vr, options):
        """keep, clean (words may stay), or gone (nothing of the value may be found)."""
        group = tag >> 16
        if group & 1 or group < 8 or group & 0xFF01 in (0x5000, 0x6000) or tag & 0xFFFF == 0:
            return "gone"
        if tag in (0x00100010, 0x00100020):
            return "gone"
        row = self.rows.get("%08X" % tag)
        if row is None:
            return self.fate_by_vr(tag, vr, options)
        basic, letters = row
        chosen = {LETTERS[o] for o in options}
        if "m" in chosen and letters.get("m") == "C":
            return "keep" if vr == "TM" else "gone"
        if any(letters.get(letter) == "K" for letter in chosen):
            return "age" if vr == "AS" else "keep"
        if any(letters.get(letter) == "C" for letter in chosen - {"c", "m"}):
            return "clean"
        return "keep" if basic == "X/Z/U*" else "gone"

    @staticmethod
    def fate_by_vr(tag, vr, options):
        if vr == "UI":
            return "keep" if tag in CLASSES else "gone"
        if vr == "TM" and options:
            return "keep"
        if vr in ("PN", "DA", "DT", "TM", "UR"):
            return "gone"
        if vr in ("LT", "ST", "UT"):
            return "clean"
        return "keep" if dictionary_has_tag(tag) else "gone"


Value = collections.namedtuple("Value", "where bytes vr fate")


def values(dataset, table, options, where="", inherited="keep"):
    """All leaf values of a data set, with what is to become of them."""
    for tag in sorted(dataset.keys()):
        raw = dataset.get_item(tag)
        number = int(tag)
        vr = raw.VR
        if (vr is None or vr == "UN") and dictionary_has_tag(number):
            vr = dictionary_VR(number)
        if dictionary_has_tag(number) and dictionary_VR(number) in ("PN", "UI"):
            vr = dictionary_VR(number)
        fate = table.fate(number, vr, options)
        if inherited == "gone":
            fate = "gone"
        elif inherited == "clean" and fate == "keep" and vr in ("LO", "SH", "UC") and \
                number not in CODE_PARTS:
            fate = "clean"
        place = where + "%08X" % number
        if vr == "SQ" or isinstance(raw.value, pydicom.Sequence):
            inside = "gone" if fate == "gone" else \
                "clean" if "clean" in (fate, inherited) else "keep"
            try:
                items = dataset[tag].value
            except Exception as error:      # pylint: disable=broad-except
                raise RuntimeError("%s: %s" % (place, error)) from error
            if isinstance(items, pydicom.Sequence):
                for i, item in enumerate(items):
                    yield from values(item, table, options, "%s[%d]." % (place, i), inside)
                continue
        if number in PIXELS and not where:
            continue
        data = raw.value
        if isinstance(data, bytes) and data:
            yield Value(place, data, vr or "UN", fate)
        elif data not in (None, b"", "") and not isinstance(data, bytes):
            yield Value(place, str(data).encode("utf-8", "replace"), vr or "UN", fate)


def parts(value):
    """What of a value identifies by itself: values, name components, and the whole."""
    data = value.bytes.strip(b" \0")
    if value.vr in ("OB", "OW", "OF", "OD", "OL", "OV", "US", "SS", "UL", "SL", "FL", "FD", "AT",
                    "SV", "UV"):
        return
    whole = [data] if value.vr in ("LT", "ST", "UT", "UN") else data.split(b"\\")
    for one in whole:
        one = one.strip(b" \0")
        yield one
        if value.vr == "PN":
            for part in re.split(rb"[\^= ]", one):
                yield part.strip()


def found(needle, haystack, word=False):
    """Digits must stand alone: four of them are in every long number."""
    if word:
        return re.search(rb"(?<![A-Za-z0-9])" + re.escape(needle) + rb"(?![A-Za-z0-9])",
                         haystack) is not None
    if needle.isdigit():
        return re.search(rb"(?<![0-9.])" + needle + rb"(?![0-9.])", haystack) is not None
    return needle in haystack


def leaks(original, result, table, options, ours):
    """Values that should be gone and are in the result's bytes."""
    kept = b"\n".join(v.bytes for v in original if v.fate in ("keep", "age")) + ours
    for value in original:
        if value.fate in ("keep", "age"):
            continue
        for part in parts(value):
            if value.fate == "clean":
                candidates = [w for w in WORD.findall(part)
                              if w.lower() not in table.words and not w[:1].isdigit()]
            else:
                candidates = [part]
            for needle in candidates:
                if len(needle) < 4 or not needle.strip(b" \0.0"):
                    continue
                if needle.startswith(b"1.2.840.10008.") and len(needle) <= 40:
                    continue
                word = value.fate == "clean"
                if found(needle, result, word) and not found(needle, kept, word):
                    # A cleaned text may stay where all of it is listed words.
                    if all(w.lower() in table.words for w in WORD.findall(needle)):
                        continue
                    yield "%s (%s): %r" % (value.where, value.vr, needle[:60])


def read(path):
    """(data set, warnings) by pydicom, every element decoded."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = pydicom.dcmread(path, force=True)
        copy = pydicom.dcmread(path, force=True)
        for element in copy.iterall():
            str(element.value)
    return dataset, {normal(str(w.message)) for w in caught}


def normal(text):
    return re.sub(r"[0-9]+", "#", re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", text))


def dcmdump_warnings(path):
    done = subprocess.run(
        ["dcmdump", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          check=False)
    text = done.stderr.decode("utf-8", "replace").replace(path, "FILE")
    lines = {normal(line) for line in text.splitlines() if line.strip()}
    return lines | ({"exit %d" % done.returncode} if done.returncode else set())


def pixel_bytes(dataset):
    for tag in sorted(PIXELS):
        if tag in dataset:
            return dataset.get_item(tag).value
    return None


def without_pixels(path, pixels):
    with open(path, "rb") as file:
        data = file.read()
    if not pixels:
        return data
    at = data.rfind(pixels)
    return data if at < 0 else data[:at] + data[at + len(pixels):]


class Check:
    def __init__(self, tool, table, folder):
        self.tool, self.table, self.folder = tool, table, folder
        self.failures = []
        self.counts = collections.Counter()
        self.uids = {}

    def fail(self, path, profile, text):
        self.failures.append("%s [%s]: %s" % (path, profile, text))

    def convert(self, path, out, options):
        command = [self.tool]
        for option in options:
            command += ["-o", option]
        return subprocess.run(command + [path, out], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def file(self, path, name):
        try:
            original, known = read(path)
            known_dump = dcmdump_warnings(path)
        except Exception as error:          # pylint: disable=broad-except
            self.counts["not for pydicom"] += 1
            print("  %s: pydicom cannot read the original: %s" % (name, error))
            return
        for profile, options in PROFILES.items():
            out = os.path.join(self.folder, "out.dcm")
            done = self.convert(path, out, options)
            if done.returncode != 0:
                self.fail(name, profile, "refused: " + done.stderr.decode().strip())
                continue
            self.counts["checked"] += 1
            self.compare(name, profile, original, (known, known_dump), out)

    def compare(self, name, profile, original, known, out):
        try:
            result, new = read(out)
        except Exception as error:          # pylint: disable=broad-except
            self.fail(name, profile, "pydicom cannot read the result: %s" % error)
            return
        new_dump = dcmdump_warnings(out)
        if new - known[0]:
            self.fail(name, profile, "pydicom warns: %s" % sorted(new - known[0]))
        if new_dump - known[1]:
            self.fail(name, profile, "dcmdump warns: %s" % sorted(new_dump - known[1]))
        pixels = pixel_bytes(original)
        if pixels != pixel_bytes(result):
            self.fail(name, profile, "the pixel data differ")
        self.markers(name, profile, result)
        self.references(name, profile, original, result)
        self.values(name, profile, original, without_pixels(out, pixels))
        self.again(name, profile, out, result)

    def markers(self, name, profile, result):
        codes = {item.CodeValue for item in result.get("DeidentificationMethodCodeSequence", [])}
        temporal = "MODIFIED" if PROFILES[profile] else "REMOVED"
        if result.get("PatientIdentityRemoved") != "YES" or codes != CODES[profile] or \
                not result.get("DeidentificationMethod") or \
                result.get("LongitudinalTemporalInformationModified") != temporal:
            self.fail(name, profile, "it does not say how it was de-identified")
        if str(result.get("PatientName")) != PSEUDONYM or result.get("PatientID") != PSEUDONYM:
            self.fail(name, profile, "the patient is not the pseudonym")

    def references(self, name, profile, original, result):
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            old, new = original.get(keyword), result.get(keyword)
            if not old or not isinstance(new, str):
                continue
            if not re.fullmatch(r"2\.25\.(0|[1-9][0-9]{0,38})", new):
                self.fail(name, profile, "%s is %r" % (keyword, new))
            if self.uids.setdefault(str(old).strip(), new) != new:
                self.fail(name, profile, "%s is not what it was elsewhere" % keyword)

    def values(self, name, profile, original, result):
        options = PROFILES[profile]
        try:
            listed = list(values(original, self.table, options))
            listed += list(values(original.file_meta, self.table, options)) \
                if getattr(original, "file_meta", None) else []
        except RuntimeError as error:
            print("  %s: values not compared: %s" % (name, error))
            self.counts["values not compared"] += 1
            return
        # What every result carries: our own texts, and the transfer syntax and SOP class.
        ours = b"\n".join([
            PSEUDONYM.encode(), b"REMOVED MODIFIED UNMODIFIED YES", b"000Y", b"19000101", b"19000101000000",
            b"CONTAINS TEXT 121106 Comment",
            b"Basic Application Confidentiality Profile, PS3.15 2024b Cairn", b"CAIRN_0_1",
            b"Option Retain Longitudinal Temporal Information Modified Dates Clean Graphics "
            b"Clean Structured Content Clean Descriptors Retain Patient Characteristics",
            b"DICM DCM", str(original.get("SOPClassUID", "")).encode()])
        for text in sorted(set(leaks(listed, result, self.table, options, ours))):
            self.fail(name, profile, "still there: " + text)
        self.counts["values"] += sum(1 for v in listed if v.fate not in ("keep", "age"))

    def again(self, name, profile, out, result):
        second = os.path.join(self.folder, "again.dcm")
        done = self.convert(out, second, PROFILES[profile])
        if done.returncode != 0:
            self.fail(name, profile, "its own result is refused: " + done.stderr.decode())
            return
        twice = pydicom.dcmread(second, force=True)
        if list(twice.keys()) != list(result.keys()) or twice.PatientID != PSEUDONYM:
            self.fail(name, profile, "a second pass changes what the first one left")


def main():
    tool, profile_dir = sys.argv[1:3]
    shared = os.environ.get("CAIRN_SHARED") or (sys.argv[3] if len(sys.argv) > 3 else "")
    folder = os.path.join(shared, "data", "dicom")
    if not os.path.isdir(folder):
        skip("no real files at %s" % folder)
    pydicom.config.convert_wrong_length_to_UN = True
    with tempfile.TemporaryDirectory() as work:
        check = Check(tool, Table(profile_dir), work)
        for root, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                if not name.endswith((".json", ".tsv", ".md", ".txt")):
                    path = os.path.join(root, name)
                    check.file(path, os.path.relpath(path, folder))
    for text in check.failures:
        print("FAILED", text)
    print("%d results, %d failures; %s" % (check.counts["checked"], len(check.failures),
                                           dict(check.counts)))
    return 1 if check.failures or check.counts["checked"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
