# SPDX-License-Identifier: Apache-2.0
"""Genotypes in a confined node: imported, refused, watched for, asked about."""

import gzip
import os
import random
import subprocess
import time

from harness import BIN, Node, contains, equal, main, wait_for

HEAD = """##fileformat=VCFv4.2
##contig=<ID=chr7,length=159345973>
##contig=<ID=chr17,length=83257441>
##INFO=<ID=CSQ,Number=.,Type=String,Description="VEP. Format: Allele|Consequence|SYMBOL|HGVSc|HGVSp">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Depths">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"""
EGFR = ("chr7\t55191822\t.\tT\tG\t.\tPASS\tCSQ=G|missense_variant|EGFR|ENST1:c.2573T>G|ENSP1:p.Leu858Arg"
        "\tGT:AD\t")
TP53 = ("chr17\t7674220\t.\tC\tT\t.\tPASS\tCSQ=T|missense_variant|TP53|ENST2:c.743G>A|ENSP2:p.Arg248Gln"
        "\tGT:AD\t")


def vcf(samples, egfr, tp53):
    return (HEAD + "\t".join(samples) + "\n" + EGFR + "\t".join(egfr) + "\n"
            + TP53 + "\t".join(tp53) + "\n")


class VcfNode(Node):
    def __init__(self, plugins=("vcf",), **settings):
        super().__init__(plugins=())
        self.set("plugins/available/vcf.yaml", "rule", '"^P([0-9]+)"')
        for key, value in settings.items():
            self.set("plugins/available/vcf.yaml", key, value)
        if plugins:
            self.cairn("plugin", "enable", *plugins)

    def file(self, name, text):
        path = self.dir / name
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
        path.chmod(0o644)
        return str(path)

    def held(self):
        return sorted(p.name for p in self.home.rglob("*.gx"))


def test_files_are_taken_in_once_and_replaced():
    with VcfNode().start() as node:
        path = node.file("a.vcf", vcf(["P1", "P2"], ["0/1:9,8", "0/0:9,0"], ["0/0:9,0", "1/1:0,9"]))
        contains(node.cairn("import", path), "1 imported", "the first time")
        first = node.held()
        contains(node.cairn("import", path), "1 held already", "the same again")
        equal(node.held(), first, "indexes")
        node.file("a.vcf", vcf(["P1", "P2"], ["0/0:9,0", "0/0:9,0"], ["0/0:9,0", "1/1:0,9"]))
        contains(node.cairn("import", path), "1 imported", "corrected")
        equal(len(node.held()), 1, "the corrected one took its place")
        for index in node.home.rglob("*.gx"):
            equal(b"P1" in index.read_bytes(), False, "an identifier in the index")


def test_what_is_malformed_is_refused_with_its_line_and_leaves_nothing():
    with VcfNode().start() as node:
        good = vcf(["P1"], ["0/1:9,8"], ["0/0:9,0"])
        bad = node.file("bad.vcf", good.replace("chr17\t7674220", "chr17\t-5"))
        out = node.cairn("import", bad, status=1)
        contains(out, "line 9: POS '-5'", "the reason")
        cut = node.file("cut.vcf", good[:-1])
        contains(node.cairn("import", cut, status=1), "the last line has no end", "the reason")
        whose = node.file("whose.vcf", good.replace("\tP1\n", "\tX1\n"))
        contains(node.cairn("import", whose, status=1), "of no sample", "the reason")
        equal(node.held(), [], "indexes")
        some = node.file("some.vcf.gz", vcf(["P1", "X2"], ["0/1:9,8", "0/1:9,8"], ["0/0:9,0"] * 2))
        contains(node.cairn("import", some, status=1), "without 1 of its samples", "what is left out")
        equal(len(node.held()), 1, "indexes")


def test_the_watched_folder_takes_whole_files_only():
    with VcfNode(watch="true", settle_s="1").start() as node:
        folders = []

        def made():
            folders[:] = [p for p in node.home.rglob("vcf") if "intake" in str(p) and p.is_dir()]
            return bool(folders)

        wait_for("the folder", 20, made)
        folder = folders[0]
        owner = folder.stat()
        good = vcf(["P1"], ["0/1:9,8"], ["0/0:9,0"])
        for name, text in (("good.vcf", good), ("bad.vcf", good.replace("PASS", "0"))):
            part = folder / (name + ".part")  # written elsewhere, then named
            part.write_text(text)
            os.chown(part, owner.st_uid, owner.st_gid)
            part.rename(folder / name)
        wait_for("both are taken", 30, lambda: (folder / "done/good.vcf").exists()
                 and (folder / "refused/bad.vcf.reason.txt").exists())
        contains((folder / "refused/bad.vcf.reason.txt").read_text(), "line 8: FILTER", "the reason")
        equal(len(node.held()), 1, "indexes")


def counts(node, expected):
    """The numbers of patients; statements are on their way for a moment."""
    def same():
        for expression, number in expected.items():
            answer = node.count(expression, status=None)
            if node.status != 0 or answer.get("count") != number:
                return False
        return True
    try:
        wait_for("the counts", 20, same)
    except AssertionError:
        for expression, number in expected.items():
            equal(node.count(expression).get("count"), number, expression)


# Nothing but genomes is known of these: P1 and P2 have TP53, P1 has EGFR, P3 neither.
COHORT = vcf(["P1", "P2", "P3"], ["0/1:9,8", "0/0:9,0", "./.:0,0"],
             ["0/1:9,9", "1/1:0,9", "0/0:9,0"])
COUNTS = {"*": 3, "gene = EGFR": 1, "gene = TP53": 2, 'gene like "%"': 2, "not (gene = TP53)": 1,
          "gene = EGFR and gene = TP53": 1, "gene = KRAS": 0,
          "variant = GRCh38:7:55191822:T:G": 1, "variant = GRCh38:17:7674220:C:T": 2,
          "variant = GRCh37:17:7674220:C:T": 0, "variant (EGFR, L858R)": 1,
          "same variant (gene = TP53 and zygosity = homozygous)": 1,
          "same variant (gene = EGFR and protein_change = R248Q)": 0,
          "gene = EGFR and protein_change = R248Q": 1, "same variant (not (gene = TP53))": 1,
          "same variant (gene = EGFR or gene = TP53)": 2,
          "at least 1 specimen (specimen_type exists)": 0, "sex exists": 0}
FEW = {expression: COUNTS[expression] for expression in ("*", "gene = EGFR", "gene = TP53")}


def test_patients_known_from_genomes_alone_are_counted():
    with VcfNode(plugins=("vcf", "cohort")).start() as node:
        contains(node.cairn("import", node.file("cohort.vcf", COHORT)), "1 imported", "the file")
        counts(node, COUNTS)
        # A new index is told of them again.
        node.cairn("cohort", "reindex")
        counts(node, FEW)
        # Another file adds patients; one in both is one.
        node.cairn("import", node.file("more.vcf", vcf(["P3", "P4"], ["0/1:9,8"] * 2, ["0/0:9,0"] * 2)))
        counts(node, {"*": 4, "gene = EGFR": 3, "gene = TP53": 2})
        # Whom a corrected file no longer has is taken back; who is in the other file stays.
        node.file("cohort.vcf", vcf(["P1"], ["0/0:9,0"], ["0/1:9,9"]))
        contains(node.cairn("import", str(node.dir / "cohort.vcf")), "1 imported", "corrected")
        counts(node, {"*": 3, "gene = EGFR": 2, "gene = TP53": 1})


def test_statement_and_index_agree_after_a_kill_between_them():
    with VcfNode(plugins=("vcf", "cohort")).start() as node:
        path = node.file("cohort.vcf", COHORT)
        command = [str(BIN / "cairn"), "--home", str(node.home), "import", path]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL) as importing:
            end = time.monotonic() + 20
            while not node.held() and time.monotonic() < end:
                pass  # the statement follows within milliseconds
            node.kill()
            importing.kill()
        node.start()
        counts(node, FEW)
        # The index is gone and its patients are still stated: the next run takes them back.
        node.stop()
        index = next(node.home.rglob("*.gx"))
        index.rename(node.dir / index.name)
        node.start()
        counts(node, {"*": 0, "gene = EGFR": 0})
        # The index is in place and nothing of it is stated: the next run states it.
        node.stop()
        (node.dir / index.name).rename(index)
        node.start()
        counts(node, FEW)
        contains(node.cairn("import", path), "1 held already", "a repeat")
        counts(node, FEW)


def test_counts_are_those_of_bcftools():
    with VcfNode(plugins=("vcf", "cohort")).start() as node:
        random.seed(4)
        samples = [f"P{i}" for i in range(1, 201)]
        kinds = ["0/0:9,0", "0/1:5,5", "1|1:0,9", "./.:0,0", "0|1:8,3"]
        path = node.file("many.vcf", vcf(samples, random.choices(kinds, k=200),
                                         random.choices(kinds, k=200)))
        node.cairn("import", path)

        def carriers(place, genotype):
            done = subprocess.run(["bcftools", "query", "-i", f'{place} && GT="{genotype}"', "-f",
                                   "[%SAMPLE\n]", path], capture_output=True, text=True, check=True)
            return set(done.stdout.split())

        egfr, tp53 = carriers("POS=55191822", "alt"), carriers("POS=7674220", "alt")
        hom = carriers("POS=7674220", "AA")
        equal(20 < len(hom) < len(tp53) < 200, True, "bcftools found some")
        counts(node, {"*": 200, "gene = EGFR": len(egfr), "gene = TP53": len(tp53),
                      "gene = EGFR and gene = TP53": len(egfr & tp53),
                      "gene = EGFR and not (gene = TP53)": len(egfr - tp53),
                      "variant = GRCh38:17:7674220:C:T": len(tp53),
                      "same variant (gene = TP53 and zygosity = homozygous)": len(hom)})


def test_the_plugin_keeps_to_its_manifest():
    with VcfNode(plugins=()) as node:
        node.cairn("plugin", "test", str(BIN.parent / "lib/cairn/plugins/vcf.so"), timeout=300)


main(globals())
