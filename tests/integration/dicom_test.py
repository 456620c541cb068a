# SPDX-License-Identifier: Apache-2.0
"""The DICOM connector against real files and real senders: what comes out is what went in, without
whose it is."""

import collections
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

import kill_test
from harness import (ROOT, SHARED, Node, equal, main, need, need_program, storescu, synth)

sys.path.insert(0, str(ROOT / "tests/conformance/deid"))
OPTIONS = ["retain-longitudinal-modified-dates", "retain-patient-characteristics"] # the default


def export(node):
    out = node.dir / "out"
    node.cairn("export", "*", str(out), "--purpose", "operations")
    return sorted(out.rglob("*.dcm"))


def identity(dataset, check):
    """What de-identification does not change."""
    pixels = check.pixel_bytes(dataset)
    digest = hashlib.sha256(pixels if isinstance(pixels, bytes) else b"").hexdigest()
    return str(dataset.get("SOPClassUID", "")).strip("\0 "), digest


Original = collections.namedtuple("Original", "path dataset warned dumped")


def faults(check, table, original, path):
    """What is wrong with an exported file, if `original` is what it was made of."""
    before = original.dataset
    result, warned = check.read(str(path))
    pixels = check.pixel_bytes(before)
    ours = b"\n".join([
        str(result.PatientID).encode(), b"REMOVED MODIFIED YES 000Y 19000101 19000101000000",
        b"CONTAINS TEXT 121106 Comment",
        b"Basic Application Confidentiality Profile, PS3.15 2024b Cairn CAIRN_0_1 DICM DCM",
        b"Option Retain Longitudinal Temporal Information Modified Dates Patient Characteristics",
        str(result.get("SOPClassUID", "")).encode()])
    found = []
    if pixels != check.pixel_bytes(result):
        found.append("the pixel data differ")
    if warned - original.warned:
        found.append(f"pydicom warns: {sorted(warned - original.warned)}")
    extra = check.dcmdump_warnings(str(path)) - original.dumped
    if extra:
        found.append(f"dcmdump warns: {sorted(extra)}")
    listed = list(check.values(before, table, OPTIONS))
    rest = check.without_pixels(str(path), pixels)
    return found + sorted(set(check.leaks(listed, rest, table, OPTIONS, ours)))


def originals_of(data, check):
    """{identity: [Original]}, and how many files pydicom cannot read."""
    originals, unreadable = collections.defaultdict(list), 0
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        try:
            dataset, warned = check.read(str(path))
            originals[identity(dataset, check)].append(
                Original(str(path), dataset, warned, check.dcmdump_warnings(str(path))))
        except Exception: # pylint: disable=broad-except
            unreadable += 1
    return originals, unreadable


def test_real_files_through_a_node_keep_their_pixels_and_lose_their_names():
    import check
    data = need(SHARED / "data/dicom")
    need_program("dcmdump")
    check.pydicom.config.convert_wrong_length_to_UN = True
    table = check.Table(str(ROOT / "plugins/dicom/deid"))
    with Node() as node:
        node.start()
        done = node.json("import", str(data), status=None)
        assert done["imported"] > 0, f"nothing was imported: {done}"
        equal(node.indexed(), done["imported"], "indexed instances")
        files = export(node)
        equal(len(files), done["imported"], "exported files")
        originals, unreadable = originals_of(data, check)
        alone = 0
        for path in files:
            dataset = check.read(str(path))[0]
            candidates = originals.get(identity(dataset, check), [])
            if not candidates:
                alone += 1
                continue
            # Several originals may look alike; one of them it is.
            wrong = []
            for original in candidates:
                wrong = faults(check, table, original, path)
                if not wrong:
                    break
            assert not wrong, f"made of {[o.path for o in candidates]}: {wrong}"
        print(f"        {len(files)} exported, {alone} of which pydicom cannot read the original")
        assert alone <= unreadable, f"{alone} exported files are like no original"


SYNTAXES = { # storescu's option, the program that makes such a file, the transfer syntax
    "-xi": (["dcmconv", "+ti"], "1.2.840.10008.1.2"),
    "-xb": (["dcmconv", "+tb"], "1.2.840.10008.1.2.2"),
    "-xd": (["dcmconv", "+td"], "1.2.840.10008.1.2.1.99"),
    "-xr": (["dcmcrle"], "1.2.840.10008.1.2.5"),
    "-xs": (["dcmcjpeg", "+e1"], "1.2.840.10008.1.2.4.70"),
    "-xt": (["dcmcjpls"], "1.2.840.10008.1.2.4.80"),
}


def test_every_transfer_syntax_comes_through_the_network_as_it_is():
    import pydicom
    for program in ("storescu", "dcmconv", "dcmcrle", "dcmcjpeg", "dcmcjpls"):
        need_program(program)
    with Node() as node:
        node.start()
        files = synth(node.dir / "pacs", 10)
        sent = {}
        for index, (option, (program, syntax)) in enumerate(SYNTAXES.items()):
            folder = node.dir / f"as{index}"
            folder.mkdir()
            subprocess.run([*program, str(files[index]), str(folder / "a.dcm")], check=True)
            made = pydicom.dcmread(folder / "a.dcm")
            equal(str(made.file_meta.TransferSyntaxUID), syntax, f"what {program[0]} made")
            storescu(node, folder, option)
            sent[syntax] = made.get_item("PixelData").value
        equal(node.indexed(), len(SYNTAXES), "indexed instances")
        exported = [pydicom.dcmread(p) for p in export(node)]
        equal({str(d.file_meta.TransferSyntaxUID) for d in exported}, set(sent), "transfer syntaxes")
        for dataset in exported:
            syntax = str(dataset.file_meta.TransferSyntaxUID)
            equal(dataset.get_item("PixelData").value, sent[syntax], f"pixel data in {syntax}")


def test_dcmsend_is_served():
    need_program("dcmsend")
    with Node() as node:
        node.start()
        files = synth(node.dir / "pacs", 5)
        subprocess.run(["dcmsend", "+sd", "-aec", "CAIRN", "127.0.0.1", str(node.port),
                        str(node.dir / "pacs")], check=True, stdout=subprocess.DEVNULL)
        equal(node.indexed(), len(files), "indexed instances")


def tree(node):
    return sorted((node.home / "objects/files").rglob("*.dcm"))


def test_a_tree_of_files_has_a_folder_for_each_patient_study_and_series():
    import pydicom
    need_program("storescu")
    with Node(settings={"store": "files"}) as node:
        node.start()
        files = synth(node.dir / "pacs", 8)
        storescu(node, node.dir / "pacs")
        equal(node.indexed(), len(files), "indexed instances")
        stored = tree(node)
        equal(len(stored), len(files), "files in the tree")
        for path in stored:
            dataset = pydicom.dcmread(path)
            names = path.relative_to(node.home / "objects/files").parts
            equal(names[1:], (dataset.PatientID, dataset.StudyInstanceUID,
                              dataset.SeriesInstanceUID, dataset.SOPInstanceUID + ".dcm"), "place")
        equal(sorted(p.read_bytes() for p in export(node)),
              sorted(p.read_bytes() for p in stored), "exported files")


def test_a_killed_connector_loses_nothing_of_a_tree_of_files():
    with Node(settings={"store": "files"}, node_settings={"restart_limit": 1000}) as node:
        node.start()
        acknowledged, _ = kill_test.store_while(
            node, lambda: kill_test.kill_plugin(node, 9), 6)
        kill_test.check_all_there(node, acknowledged)
        equal(len(tree(node)), node.indexed(), "files in the tree")


def test_the_example_is_accepted():
    with Node() as node:
        shutil.copy(ROOT / "plugins/dicom/example.yaml",
                    node.home / "plugins/available/dicom.yaml")
        node.cairn("check", "--quick")  # its address is no address of this machine


# Type 1 and 2 attributes of the image IODs (PS3.3 A.3, A.4, A.26); those of type 1 need a value.
COMMON = {1: "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality ImageType "
             "SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit "
             "PixelRepresentation PixelData",
          2: "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber "
             "ReferringPhysicianName StudyID SeriesNumber Manufacturer InstanceNumber"}
SLICES = {1: "FrameOfReferenceUID PixelSpacing ImageOrientationPatient ImagePositionPatient "
             "PatientPosition", 2: "PositionReferenceIndicator SliceThickness AcquisitionNumber"}
OWN = {
    "CT": {1: "RescaleIntercept RescaleSlope RescaleType", 2: "KVP"},
    "MR": {1: "ScanningSequence SequenceVariant",
           2: "ScanOptions MRAcquisitionType RepetitionTime EchoTime EchoTrainLength"},
    "MG": {1: "PresentationIntentType ImageLaterality PatientOrientation PixelIntensityRelationship "
              "PixelIntensityRelationshipSign RescaleIntercept RescaleSlope RescaleType "
              "LossyImageCompression PresentationLUTShape BurnedInAnnotation ImagerPixelSpacing "
              "PositionerType OrganExposed BodyPartExamined ViewCodeSequence AnatomicRegionSequence",
           2: "DetectorType AcquisitionContextSequence"},
}


def test_invented_images_have_what_their_iods_require():
    import pydicom
    need_program("dcmdump")
    with tempfile.TemporaryDirectory() as folder:
        seen = set()
        for path in synth(pathlib.Path(folder) / "a", 40, slices=2, matrix=32):
            dataset = pydicom.dcmread(path)
            tables = [COMMON, OWN[dataset.Modality]]
            tables += [SLICES] if dataset.Modality != "MG" else []
            for table in tables:
                for name in table[1].split():
                    assert dataset.get(name) not in (None, ""), f"{path.name}: {name} has no value"
                for name in table[2].split():
                    assert name in dataset, f"{path.name}: {name} is missing"
            seen.add(dataset.Modality)
            done = subprocess.run(["dcmdump", str(path)], capture_output=True, check=True)
            equal(done.stderr, b"", "what dcmdump complains of")
        equal(seen, set(OWN), "modalities")


if __name__ == "__main__":
    main(globals())
