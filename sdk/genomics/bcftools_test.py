#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bcftools_test.py DUMP SHARED [all]: alleles, AC and AN of each real file, as bcftools says them."""
import glob
import os
import re
import subprocess
import sys
import tempfile

DUMP, SHARED = sys.argv[1], os.environ.get("CAIRN_SHARED", sys.argv[2])
DATA = os.path.join(SHARED, "data/clinical/vcf")


def run(*words):
    return subprocess.run(words, capture_output=True, check=False)


def trim(pos, ref, alt):
    ref, alt = ref.upper(), alt.upper()
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        pos, ref, alt = pos + 1, ref[1:], alt[1:]
    return pos, ref, alt


def expected(path, reference=None):
    """One ALT a line, counted from the genotypes that bcftools prints."""
    norm = ["bcftools", "norm", "-m-", path] + (["-f", reference] if reference else [])
    split = run(*norm)
    if split.returncode != 0:
        return None
    rows = subprocess.run(["bcftools", "query", "-f", "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n"],
                          input=split.stdout, capture_output=True, check=False)
    if rows.returncode != 0:  # no genotypes at all
        return None
    variants = []
    for row in rows.stdout.decode().splitlines():
        chrom, pos, ref, alt, *genotypes = row.split("\t")
        if alt in (".", "*", "<*>", "<NON_REF>", "<X>"):
            continue
        if not set(alt) & set("<>[].") and not reference:
            pos, ref, alt = trim(int(pos), ref, alt)
        if any(len(re.split("[/|]", g)) > 2 for g in genotypes):
            return None  # AC and AN are kept of one and two copies
        alleles = [a for g in genotypes for a in re.split("[/|]", g) if a != "."]
        variants.append((chrom, int(pos), ref, alt, alleles.count("1"), len(alleles)))
    return sorted(variants)


def ours(path, reference=None):
    with tempfile.TemporaryDirectory() as folder:
        got = run(DUMP, path, folder, *([reference] if reference else []))
        left = os.listdir(folder)
    if got.returncode != 0:
        assert left == [], f"{path}: refused, and left {left} behind"
        return None
    rows = (row.split("\t") for row in got.stdout.decode().splitlines())
    return sorted((c, int(p), r, a, int(ac), int(an)) for c, p, r, a, ac, an in rows)


def main():
    if not os.path.isdir(DATA):
        print(f"SKIPPED: no {DATA}")
        return 77
    if run("sh", "-c", "command -v bcftools").returncode != 0:
        print("SKIPPED: no bcftools")
        return 77
    folders = ["1kg-phase3-subset", "htslib", "htsget", "spec-examples", "vcf2maf-somatic"]
    everything = sys.argv[3:] == ["all"]
    folders += ["bcftools"] if everything else []
    paths = sorted(p for folder in folders for p in glob.glob(f"{DATA}/{folder}/*") if p.endswith((".vcf", ".vcf.gz", ".bcf")))
    same = variants = refused = 0
    bad = []
    for path in paths:
        got = ours(path)
        want = expected(path) if got is not None else None
        if want is None:
            refused += 1
        elif got == want:
            same += 1
            variants += len(got)
        else:
            bad.append(path)
            print(f"{path}: ours {sorted(set(got) - set(want))[:3]},"
                  f" bcftools {sorted(set(want) - set(got))[:3]}")
    print(f"{len(paths)} files: {same} the same ({variants} variants), {refused} refused,"
          f" {len(bad)} differ")
    return 1 if bad or same < (100 if everything else 8) else 0


sys.exit(main())
