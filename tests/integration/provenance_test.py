# SPDX-License-Identifier: Apache-2.0
"""Where plugins come from: pins, signatures, versions, and nodes made by profiles."""

import pathlib
import re
import subprocess

from harness import BIN, ROOT, Node, contains, equal, main, need_program, wait_for

HELLO = (ROOT / "sdk/examples/hello/hello.c").read_text()


def compile_plugin(path, version="0.1.0", manifest="", body=None):
    """hello.c as another version, with more in its manifest or another start()."""
    text = HELLO.replace('"0.1.0"', f'"{version}"')
    text = text.replace('"summary:', f'"{manifest}summary:')
    if body is not None:
        text = text.replace("CAIRN_PLUGIN(", body + "\nCAIRN_PLUGIN(")
        text = text.replace(".call = greet", ".call = greet, .start = start")
    source = pathlib.Path(path).with_suffix(".c")
    source.write_text(text)
    subprocess.run(["cc", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-Os", "-I",
                    ROOT / "sdk/include", "-o", path, source], check=True)
    return pathlib.Path(path)


FAILING = """static int start(struct cairn *c, void **s, struct cairn_error *err)
{ (void)c, (void)s; return cairn_error_set(err, CAIRN_EINVAL, "the moon is wrong"); }"""


class PluginNode(Node):
    """A node whose plugin directory holds what the test compiles."""

    def __init__(self):
        super().__init__(plugins=())
        self.plugins = self.dir / "plugins"
        self.plugins.mkdir()
        self.files = self.dir / "files"
        self.files.mkdir()
        self.set("node.yaml", "plugin_dir", str(self.plugins))

    def start_dev(self):
        self.log = open(self.dir / "node.log", "ab")
        self.process = subprocess.Popen([str(BIN / "cairnd"), "--home", str(self.home), "--dev"],
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        self.wait_ready()

    def refusals(self):
        records = self.json("ledger", "tail", "--records", "50")["records"]
        return [r["reason"] for r in records if r["verdict"] == "refused"]


def flip_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_changed_byte_is_refused_and_recorded():
    with PluginNode() as node:
        hello = compile_plugin(node.plugins / "hello.so")
        contains(node.cairn("plugin", "enable", "hello"), "pinned at sha256:", "what enable says")
        node.start()
        equal(node.plugin("hello")["provenance"], "pinned", "the status")
        flip_byte(hello)
        node.cairn("plugin", "restart", "hello", status=1)
        contains(node.stderr, "is not the file that was accepted", "the error")
        equal(node.cairn("call", "hello.greet").strip(), "hello", "the one before still answers")
        contains(node.refusals()[0], "expected sha256:", "the record")
        node.cairn("check", status=1)
        equal(node.stop(), 0, "the exit status")
        node.start(wait=False)
        state = wait_for("refused", 20, lambda: node.plugin("hello"))
        equal((state["state"], state["provenance"]), ("failed", "refused"), "at the next start")
        compile_plugin(node.plugins / "hello.so", "0.1.1")
        node.cairn("plugin", "enable", "hello", status=1)
        said = node.cairn("plugin", "enable", "hello", "--pin")
        contains(said, "pinned at", "with --pin")
        records = node.json("ledger", "tail", "--records", "50")["records"]
        accepted = [r["reason"] for r in records if r["verdict"] == "accepted"]
        equal(len(set(accepted)), 2, "each accepted digest is in the ledger")
        equal(any(digest in said for digest in accepted), True, "also that of --pin")
        gone = [r["reason"] for r in records if r["verdict"] == "no longer accepted"]
        equal([g in accepted for g in gone], [True], "and that the first is accepted no more")


def test_a_swapped_file_does_not_reach_a_restarted_host():
    """A crashed plugin comes back as the bytes that were judged, whatever lies on the disk now."""
    with PluginNode() as node:
        hello = compile_plugin(node.plugins / "hello.so")
        node.cairn("plugin", "enable", "hello")
        node.start()
        hello.write_bytes(b"not a plugin")
        before = node.plugin("hello")["pid"]
        subprocess.run(["kill", "-9", str(before)], check=True)
        wait_for("back", 20, lambda: node.plugin("hello").get("state") == "ready" and
                 node.plugin("hello")["pid"] != before)
        equal(node.cairn("call", "hello.greet").strip(), "hello", "the answer")


def test_an_unknown_plugin_runs_only_in_development_and_loudly():
    with PluginNode() as node:
        compile_plugin(node.plugins / "hello.so")
        (node.home / "plugins/available/hello.yaml").write_text("")
        (node.home / "plugins/enabled/hello.yaml").symlink_to("../available/hello.yaml")
        node.start(wait=False)
        state = wait_for("refused", 20, lambda: node.plugin("hello"))
        contains(state["last_error"], "neither signed nor pinned", "why")
        node.stop()
        node.start_dev()
        equal(node.cairn("call", "hello.greet").strip(), "hello", "the answer")
        equal(node.plugin("hello")["provenance"], "development", "the status")
        contains((node.dir / "node.log").read_text(), "UNVERIFIED PLUGIN hello", "the log")


def test_a_signed_plugin_runs_and_a_stranger_can_verify_it():
    need_program("openssl")
    with PluginNode() as node:
        hello = compile_plugin(node.plugins / "hello.so")
        key = node.files / "acme.key"
        node.cairn("key", "new", str(key))
        node.cairn("plugin", "sign", str(hello), "--key", str(key))
        node.cairn("plugin", "enable", "hello", status=1)
        contains(node.stderr, "which is not among the trusted ones", "an unknown publisher")
        node.cairn("key", "trust", str(key), status=1)
        contains(node.stderr, "holds a private key", "the wrong half")
        node.cairn("key", "trust", str(node.files / "acme.pub"))
        contains(node.cairn("key", "list"), "trusted", "the list")
        contains(node.cairn("plugin", "enable", "hello"), "signed by acme", "what enable says")
        signature = pathlib.Path(f"{hello}.sig").read_text()
        raw = subprocess.run(["base64", "-d"], input=re.search(r"^signature: (.*)", signature, re.M)[1]
                             .encode(), capture_output=True, check=True).stdout
        (node.files / "raw").write_bytes(raw)
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey",
                        node.files / "acme.pub", "-rawin", "-in", hello, "-sigfile",
                        node.files / "raw"], check=True, stdout=subprocess.DEVNULL)
        node.start()
        equal(node.plugin("hello")["provenance"], "signed by acme", "the status")
        flip_byte(hello)
        node.cairn("plugin", "restart", "hello", status=1)
        contains(node.stderr, "changed after it was signed", "a changed signed file")


def test_install_asks_and_upgrade_and_rollback_keep_versions():
    with PluginNode() as node:
        one = compile_plugin(node.files / "one.so", "0.1.0", "capabilities: [listen:tcp]\\n")
        node.cairn("plugin", "install", str(one), status=1)
        contains(node.stderr, "asks for listen:tcp, which was not granted", "without --yes")
        out = node.cairn("plugin", "install", str(one), "--grant", "listen:tcp")
        contains(out, "accept connections from the network", "plain words")
        node.cairn("plugin", "enable", "hello")
        node.start()
        two = compile_plugin(node.files / "two.so", "0.2.0",
                             "capabilities: [listen:tcp, put:facts]\\n")
        node.cairn("plugin", "upgrade", str(two), status=1)
        contains(node.stderr, "put:facts, which was not granted", "it asks for more")
        equal(node.plugin("hello")["version"], "0.1.0", "the old one serves on")
        contains(node.cairn("plugin", "upgrade", str(two), "--yes"), "ready", "granted")
        equal(node.plugin("hello")["version"], "0.2.0", "the new one")
        node.cairn("plugin", "rollback", "hello")
        equal(node.plugin("hello")["version"], "0.1.0", "after the rollback")
        node.cairn("plugin", "remove", "hello", status=1)
        contains(node.stderr, "is enabled", "remove")
        node.cairn("plugin", "disable", "hello")
        node.cairn("plugin", "remove", "hello")
        equal((node.home / "state/kernel/plugins/hello").exists(), False, "the store")
        equal("hello" in (node.home / "plugins/trust").read_text(), False, "pins and grants")
        node.cairn("plugin", "install", str(one), "--yes")


def test_an_upgrade_that_does_not_start_goes_back_by_itself():
    with PluginNode() as node:
        node.cairn("plugin", "install", str(compile_plugin(node.files / "one.so")), "--yes")
        node.cairn("plugin", "enable", "hello")
        node.start()
        bad = compile_plugin(node.files / "bad.so", "0.2.0", body=FAILING)
        node.cairn("plugin", "upgrade", str(bad), status=1)
        contains(node.stderr, "0.1.0 is back and nothing was changed", "the report")
        contains(node.stderr, "the moon is wrong", "the reason")
        state = node.plugin("hello")
        equal((state["version"], state["state"]), ("0.1.0", "ready"), "what runs")
        same = compile_plugin(node.files / "same.so", "0.1.0", body=FAILING)
        node.cairn("plugin", "upgrade", str(same), status=1)
        contains(node.stderr, "0.1.0 is what is installed already", "the same version")


def test_a_profile_is_applied_once():
    with Node(plugins=()) as node:
        contains(node.cairn("profile", "list"), "hub", "the list")
        before = (node.home / "policies/settings.yaml").read_text()
        contains(node.cairn("profile", "apply", "demo", "--dry-run"), "enable plugin: hello",
                 "the dry run")
        equal(list((node.home / "plugins/enabled").iterdir()), [], "after the dry run")
        contains(node.cairn("profile", "apply", "demo"), "applied", "the first time")
        equal(sorted(p.stem for p in (node.home / "plugins/enabled").iterdir()),
              ["cohort", "dicom", "hello", "table"], "enabled plugins")
        contains((node.home / "plugins/available/dicom.yaml").read_text(), "\ndurability: process",
                 "the setting")
        equal((node.home / "policies/settings.yaml").read_text(), before, "same numbers, same file")
        contains(node.cairn("profile", "apply", "demo"), "nothing to change", "the second time")
        equal(len(node.json("profile", "apply", "site", "--dry-run")["changes"]), 1, "to site")
        node.cairn("profile", "apply", "sit", status=1)
        contains(node.stderr, "did you mean 'site'", "a typo")
        node.cairn("check")


main(globals())
