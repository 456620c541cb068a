# SPDX-License-Identifier: Apache-2.0
"""Plugins in Python, Lua and shell in a real node: sdk/examples, beside each other."""

import os
import pathlib
import shutil
import signal
import tempfile
import urllib.request
import zipapp

from harness import ROOT, Node, contains, equal, free_port, main, wait_for

EXAMPLES = ROOT / "sdk/examples"
NAMES = ("hello-py", "hello-lua", "hello-sh")


class Languages(Node):
    """A node whose plugin_dir holds copies of the three examples."""

    def __init__(self):
        self.plugins_dir = pathlib.Path(tempfile.mkdtemp(prefix="cairn-plugins-"))
        for language in ("python", "lua", "sh"):
            shutil.copytree(EXAMPLES / language, self.plugins_dir, dirs_exist_ok=True)
        super().__init__(plugins=())

    def cairn(self, *args, **options):
        if args[0] == "init":
            args += ("--plugin-dir", str(self.plugins_dir))
        return super().cairn(*args, **options)

    def __exit__(self, *args):
        super().__exit__(*args)
        shutil.rmtree(self.plugins_dir, ignore_errors=True)

    def enable(self):
        self.cairn("plugin", "enable", *NAMES)
        return self.start()

    def ask(self, subject, body="", status=0):
        return self.cairn("call", subject, *([body] if body else []), status=status).rstrip("\n")


def test_they_are_listed_and_described_like_shared_objects():
    with Languages() as node:
        listed = {p["name"]: p for p in node.json("plugin", "list")["plugins"]}
        for name in NAMES:
            equal(listed[name]["version"], "0.1.0", name)
            equal(listed[name]["state"], "disabled", name)
            contains(node.cairn("plugin", "info", name), listed[name]["summary"], name)
            contains((node.home / f"plugins/available/{name}.yaml").read_text(),
                     "greeting", name)


def test_calls_go_from_one_language_to_the_next():
    with Languages() as node:
        node.set("plugins/available/hello-sh.yaml", "names", "[ann, bob]")
        node.enable()
        equal(node.ask("hello-py.greet"), "hello you", "python")
        equal(node.ask("hello-lua.greet"), "hello you", "lua")
        equal(node.ask("hello-sh.greet"), "hello ann,bob", "sh")
        equal(node.ask("hello-py.relay"), "it says: hello you", "python to lua")
        equal(node.ask("hello-lua.relay"), "it says: hello ann,bob", "lua to sh")


def test_jobs_are_done_and_events_heard_in_each():
    with Languages() as node:
        node.enable()
        for name, last in (("hello-py", "done"), ("hello-lua", "last"), ("hello-sh", "last")):
            equal(node.ask(f"{name}.later", f"job-of-{name}"), "accepted", name)
            wait_for(f"the job of {name}", 30, lambda: f"job-of-{name}" in
                     node.ask(f"{name}.{last}", status=None))
        contains(node.ask("hello-lua.last"), "job-of-hello-lua job-of-hello-py ticking", "lua")
        equal((node.home / "state/hello-py/last").read_text(), "job-of-hello-py", "state")
        heard = node.home / "state/hello-sh/heard"
        wait_for("the event", 10, heard.exists)
        equal(heard.read_text(), "job-of-hello-py", "what the shell heard")


def test_check_and_doctor_hear_what_each_says_of_itself():
    with Languages() as node:
        node.enable()
        said = node.cairn("doctor", status=None)
        for name in NAMES:
            contains(said, "greets with 'hello'", name)
        equal(said.count("greets with 'hello'"), 3, "each")
        for name in NAMES:
            node.set(f"plugins/available/{name}.yaml", "greeting", "nothing")
        said = node.cairn("check", status=None)
        equal(said.count("the greeting is 'nothing'"), 3, f"each\n{said}{node.stderr}")


def test_what_fails_is_named_with_version_and_request():
    with Languages() as node:
        for file, old, new in (("hello-py.py", "def list_done(request):\n", "    int('no')\n"),
                               ("hello-lua.lua", 'cairn.on_call("hello-lua.last", function(request)\n',
                                "    error('no')\n"), ("hello-sh/call", "hello-sh.last)\n", "exit 1\n")):
            path = node.plugins_dir / file
            path.write_text(path.read_text().replace(old, old + new))
        node.enable()
        for name, subject in (("hello-py", "done"), ("hello-lua", "last"), ("hello-sh", "last")):
            node.ask(f"{name}.{subject}", status=1)
            log = (node.home / f"log/{name}.log").read_text()
            contains(log, f"{name} 0.1.0 failed at a call of {name}.{subject} (request ", name)


def test_each_conforms_and_a_bad_one_does_not():
    for language, name in (("python", "hello-py"), ("lua", "hello-lua"), ("sh", "hello-sh")):
        with Languages() as node:
            node.cairn("plugin", "test", str(node.plugins_dir / f"{name}.plugin.yaml"))
    with Languages() as node:
        script = node.plugins_dir / "hello-lua.lua"
        script.write_text(script.read_text() + "cairn.on_stop(function() while true do end end)\n")
        said = node.cairn("plugin", "test", str(node.plugins_dir / "hello-lua.plugin.yaml"),
                          "--check", "life", "--timeout", "2", status=1)
        contains(said, "did not call cairn_stopped()", "why")


def test_each_is_installed_upgraded_rolled_back_and_removed():
    with Languages() as node:
        node.set("node.yaml", "plugin_dir", str(node.dir / "empty"))
        (node.dir / "empty").mkdir()
        for name in NAMES:
            node.cairn("plugin", "install", str(node.plugins_dir / f"{name}.plugin.yaml"), "--yes")
        node.cairn("plugin", "enable", *NAMES)
        node.start()
        for name, file in (("hello-py", "hello-py.py"), ("hello-lua", "hello-lua.lua"),
                           ("hello-sh", "hello-sh/call")):
            manifest = node.plugins_dir / f"{name}.plugin.yaml"
            manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
            script = node.plugins_dir / file
            good = script.read_text()
            equal(node.ask(f"{name}.greet"), "hello you", f"{name} as installed")
            script.write_text("this is no script (\n")
            if name != "hello-sh":  # one that cannot start leaves nothing
                node.cairn("plugin", "upgrade", str(manifest), status=1)
                equal((node.home / f"state/kernel/plugins/{name}/0.2.0").exists(), False, name)
            script.write_text(good.replace("%s %s", "2 %s %s")
                              .replace("return cairn.config", 'return "2 " .. cairn.config')
                              .replace('return f"', 'return f"2 '))
            node.cairn("plugin", "upgrade", str(manifest))
            equal(node.ask(f"{name}.greet"), "2 hello you", f"{name} upgraded")
            node.cairn("plugin", "rollback", name)
            equal(node.ask(f"{name}.greet"), "hello you", f"{name} rolled back")
            node.cairn("plugin", "security", name)
            node.cairn("plugin", "disable", name)
            node.cairn("plugin", "remove", name)
            equal((node.home / f"state/kernel/plugins/{name}").exists(), False, f"{name} removed")


def test_a_signed_script_needs_no_pin_and_no_change():
    with Languages() as node:
        key = node.dir / "acme.key"
        node.cairn("key", "new", str(key))
        node.cairn("key", "trust", str(key.with_suffix(".pub")))
        manifest = node.plugins_dir / "hello-sh.plugin.yaml"
        node.cairn("plugin", "sign", str(manifest), "--key", str(key))
        contains(node.cairn("plugin", "install", str(manifest), "--yes"), "signed by acme", "who")
        words = node.plugins_dir / "hello-sh/words.sh"
        words.write_text("x=1\n")
        node.cairn("plugin", "upgrade", str(manifest), status=1)
        contains(node.stderr, "installed already", "the same version")
        manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
        node.cairn("plugin", "upgrade", str(manifest), status=1)
        contains(node.stderr, "was changed after it was signed", "why")


def test_figures_that_come_too_often_are_dropped_and_counted():
    with Languages() as node:
        port = free_port()
        node.set("node.yaml", "metrics", f"127.0.0.1:{port}")
        script = node.plugins_dir / "hello-py.py"
        script.write_text(script.read_text().replace("def list_done(request):\n", """\
def list_done(request):
    from cairn import wire
    for _ in range(500):
        plugin._send(wire.Envelope(kind=23))
"""))
        node.enable()
        node.ask("hello-py.done")
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        row = 'cairn_plugin_metrics_dropped_total{plugin="hello-py"} '
        found = [line for line in page.splitlines() if line.startswith(row)]
        equal(found, [row + "400"], "what was dropped")


def test_a_killed_one_is_back_at_once():
    with Languages() as node:
        node.enable()
        for name in NAMES:
            pid = node.plugin(name)["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} again", 30, lambda: node.plugin(name)["state"] == "ready" and
                     node.plugin(name)["pid"] != pid)
            equal(node.ask(f"{name}.greet"), "hello you", name)


def test_a_script_that_is_swapped_after_it_was_judged_does_not_run():
    with Languages() as node:
        node.enable()
        files = {"hello-py": "hello-py.py", "hello-lua": "hello-lua.lua", "hello-sh": "hello-sh/call"}
        for name, file in files.items():
            path = node.plugins_dir / file
            path.write_text(path.read_text().replace("hello", "swapped"))
            pid = node.plugin(name)["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} again", 30, lambda: node.plugin(name)["state"] == "ready" and
                     node.plugin(name)["pid"] != pid)
            equal(node.ask(f"{name}.greet"), "hello you", f"{name} runs what was judged")
            node.cairn("plugin", "restart", name, status=1)
            contains(node.stderr, "is not the file that was accepted", f"{name} judged anew")


def test_nothing_that_lies_beside_a_script_is_imported():
    with Languages() as node:
        (node.plugins_dir / "beside.py").write_text("WORD = 'beside'\n")
        script = node.plugins_dir / "hello-py.py"
        script.write_text("import beside\n" + script.read_text())
        node.cairn("plugin", "enable", "hello-py", "--pin")
        node.start(wait=False)
        log = node.home / "log/hello-py.log"
        wait_for("the refusal", 30, lambda: log.exists() and
                 "No module named 'beside'" in log.read_text())


def test_a_python_plugin_of_several_modules_is_one_zip_file():
    with Languages() as node:
        folder = node.plugins_dir / "parts"
        folder.mkdir()
        (folder / "beside.py").write_text("WORD = 'beside'\n")
        (node.plugins_dir / "hello-py.py").rename(folder / "__main__.py")
        main_file = folder / "__main__.py"
        main_file.write_text("import beside\n" + main_file.read_text())
        zipapp.create_archive(folder, node.plugins_dir / "hello-py.py")
        shutil.rmtree(folder)
        node.cairn("plugin", "enable", "hello-py")
        node.start()
        contains(node.ask("hello-py.greet"), "hello you", "greeting")


def test_programs_of_a_folder_find_each_other_by_variables():
    with Languages() as node:
        (node.plugins_dir / "hello-sh/words.sh").write_text("word=shared\n")
        (node.plugins_dir / "hello-sh/call").write_text(
            '#!/bin/sh\n. "$CAIRN_FILE_WORDS_SH"\nprintf %s "$word"\n')
        node.cairn("plugin", "enable", "hello-sh")
        node.start()
        equal(node.ask("hello-sh.greet"), "shared", "what the sourced file said")


def test_an_interpreter_that_the_site_does_not_list_is_refused():
    with Languages() as node:
        node.set("node.yaml", "interpreters", "[lua, sh]")
        node.cairn("plugin", "enable", "hello-py", "hello-lua", status=None)
        said = node.cairn("check", status=1)
        contains(said + node.stderr, "wants to be run by '/usr/bin/python3'", "why")
        node.cairn("plugin", "disable", "hello-py")
        node.cairn("check")


def test_a_manifest_without_its_script_is_refused():
    with Languages() as node:
        (node.plugins_dir / "hello-lua.lua").unlink()
        node.cairn("plugin", "enable", "hello-lua", status=1)
        contains(node.stderr, "its script", "why")
        contains(node.stderr, "is not there", "why")


def test_what_is_not_granted_is_refused_in_each():
    with Languages() as node:
        for name in ("hello-py", "hello-lua"):
            file = node.plugins_dir / f"{name}.plugin.yaml"
            file.write_text(file.read_text().replace("call:hello-", "call:nobody-"))
        node.enable()
        for name in ("hello-py", "hello-lua"):
            node.ask(f"{name}.relay", status=1)
            contains(node.stderr, f"plugin '{name}' has no capability call:hello-", "why")


main(globals())
