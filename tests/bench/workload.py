# SPDX-License-Identifier: Apache-2.0
"""Makes the ingest workloads: 2,000 CT instances of 0.5 MB in one study, and 20,000 of 8 KB in 2,000
studies of 1,000 patients.  Both come from one instance of `cairn synth` each, under ever new
identifiers of the same length.  workload.py BIN OUT"""

import pathlib
import subprocess
import sys
import tempfile

CT = b"1.2.840.10008.5.1.4.1.1.2\0"


def base(bin_dir, matrix):
    """The bytes of a CT instance, and its identifiers."""
    import pydicom
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"{bin_dir}/cairn", "synth", folder, "--patients", "12", "--slices", "1",
                        "--matrix", str(matrix)], check=True, stdout=subprocess.DEVNULL)
        for path in sorted(pathlib.Path(folder).iterdir()):
            data = pydicom.dcmread(path, stop_before_pixels=True)
            if data.Modality == "CT":
                return path.read_bytes(), data


def uid(old, kind, number):
    """A UID as long as the old one."""
    return (f"2.25.{kind}" + f"{number:0{len(old) - 6}d}").encode()


def make(source, data, out, count, place):
    out.mkdir(parents=True)
    for index in range(count):
        patient, study, series = place(index)
        made = source.replace(data.SOPInstanceUID.encode(), uid(data.SOPInstanceUID, 1, index + 1))
        made = made.replace(data.StudyInstanceUID.encode(), uid(data.StudyInstanceUID, 2, study))
        made = made.replace(data.SeriesInstanceUID.encode(), uid(data.SeriesInstanceUID, 3, series))
        made = made.replace(data.PatientID.encode(),
                            f"B{patient:0{len(data.PatientID) - 1}d}".encode())
        (out / f"{index:05d}.dcm").write_bytes(made)


def main():
    bin_dir, out = sys.argv[1], pathlib.Path(sys.argv[2])
    big, small = base(bin_dir, 512), base(bin_dir, 56)
    make(*big, out / "ct2000", 2000, lambda i: (1, 1, i // 500))
    make(*small, out / "small20000", 20000, lambda i: (i // 20, i // 10, i // 5))
    for name in ("ct2000", "small20000"):
        files = list((out / name).iterdir())
        print(f"{name}: {len(files)} instances of {files[0].stat().st_size} bytes")


main()
