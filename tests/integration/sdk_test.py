# SPDX-License-Identifier: Apache-2.0
"""What an integrator has: an installation (and the build tree, which has its shape) against which a
plugin is built outside this tree, with pkg-config or with CMake; and the projects that `cairn plugin
new` begins, each of which builds without a warning, passes its own tests and runs in a node."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import harness
from harness import Node, ROOT, contains, equal, main, need_program, wait_for

BUILD = harness.BIN.parent
HELLO = ROOT / "sdk" / "examples" / "hello" / "hello.c"


def run(*command, cwd=None, env=None, status=0, timeout=300):
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=dict(os.environ, **(env or {})),
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{command}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Folder:
    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="cairn-sdk-"))
        return self.path

    def __exit__(self, kind, value, trace):
        shutil.rmtree(self.path, ignore_errors=True)


def install(prefix):
    run("cmake", "--install", BUILD, "--prefix", prefix)
    return prefix


def greets(prefix, plugins):
    """The plugin hello of folder `plugins` answers in a node of the installation's programs."""
    harness.BIN = prefix / "bin"
    try:
        with Node(plugins=(), node_settings={"plugin_dir": plugins}) as node:
            node.cairn("plugin", "enable", "hello")
            node.start()
            equal(node.cairn("call", "hello.greet").strip(), "hello", "the plugin's answer")
    finally:
        harness.BIN = BUILD / "bin"


def with_pkg_config(prefix):
    need_program("pkg-config")
    env = {"PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    with Folder() as work:
        shutil.copy(HELLO, work)
        flags = run("pkg-config", "--cflags", "cairn", env=env).split()
        run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
            "-fvisibility=hidden", *flags, "-o", "hello.so", "hello.c", cwd=work)
        equal(run("nm", "-D", "--defined-only", "hello.so", cwd=work).split()[-1], "cairn_plugin",
              "the exported symbol")
        greets(prefix, work)


def with_cmake(prefix):
    with Folder() as work:
        shutil.copy(HELLO, work)
        (work / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.18)\nproject(hello C)\nfind_package(Cairn 0.1 REQUIRED)\n"
            "enable_testing()\ncairn_add_plugin(hello SOURCES hello.c)\n")
        run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=work)
        run("cmake", "--build", "build", cwd=work)
        contains(run("ctest", "--test-dir", "build", cwd=work), "100% tests passed", "ctest")
        greets(prefix, work / "build" / "plugins")


def test_a_plugin_is_built_against_an_installation_with_pkg_config():
    with Folder() as work:
        with_pkg_config(install(work / "prefix"))


def test_a_plugin_is_built_against_an_installation_with_cmake():
    with Folder() as work:
        with_cmake(install(work / "prefix"))


def test_a_plugin_is_built_against_the_build_tree_with_pkg_config():
    with_pkg_config(BUILD)


def test_a_plugin_is_built_against_the_build_tree_with_cmake():
    with_cmake(BUILD)


def test_an_installation_has_what_a_node_needs_below_destdir_and_prefix():
    with Folder() as work:
        run("cmake", "--install", BUILD, "--prefix", "/opt/cairn", env={"DESTDIR": str(work)})
        prefix = work / "opt" / "cairn"
        for name in ("bin/cairn", "bin/cairnd", "bin/cairn-host", "lib/cairn/plugins/dicom.so",
                     "lib/libcairn-testing.a", "lib/pkgconfig/cairn.pc", "include/cairn/plugin.h",
                     "include/cairn/testing.h", "share/cairn/policies",
                     "share/cairn/templates/c-engine", "share/cairn/proto/cairn/bus.proto",
                     "lib/systemd/system/cairn.service"):
            if not (prefix / name).exists():
                raise AssertionError(f"{name} is not installed")
        unit = (prefix / "lib/systemd/system/cairn.service").read_text()
        contains(unit, "ExecStart=/opt/cairn/bin/cairnd --home", "the unit")
        greets(prefix, prefix / "lib" / "cairn" / "plugins")


def test_the_installed_unit_is_what_systemd_takes():
    need_program("systemd-analyze")
    with Folder() as work:
        unit = install(work / "prefix") / "lib/systemd/system/cairn.service"
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True,
                              text=True)
        if done.returncode != 0 or done.stderr:
            raise AssertionError(f"systemd-analyze verify: {done.stderr}")


def test_a_unit_test_is_built_with_pkg_config_alone():
    with Folder() as work:
        cairn = BUILD / "bin" / "cairn"
        env = {"PKG_CONFIG_PATH": str(BUILD / "lib" / "pkgconfig")}
        run(cairn, "plugin", "new", "counter", cwd=work)
        flags = run("pkg-config", "--cflags", "--libs", "cairn-testing", env=env).split()
        run("cc", "-std=c11", "-D_GNU_SOURCE", "-o", "test", "counter/counter_test.c",
            "counter/counter.c", *flags, cwd=work)
        contains(run("./test", cwd=work), "PASSED", "the unit test")


# ---- cairn plugin new -----------------------------------------------------------------------------

def project(kind, answer, use=None):
    """The project builds, passes its tests, and its plugin answers in a node."""
    name = f"my-{kind}"
    with Folder() as work:
        run(BUILD / "bin" / "cairn", "plugin", "new", name, "--kind", kind, cwd=work)
        dir = work / name
        left = [p.name for p in dir.rglob("*") if p.is_file() and "@NAME@" in p.name + p.read_text()]
        equal(left, [], "files with a placeholder that was not replaced")
        run("cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={BUILD}", "-DCMAKE_C_FLAGS=-Werror", cwd=dir)
        run("cmake", "--build", "build", cwd=dir)
        contains(run("ctest", "--test-dir", "build", "--output-on-failure", cwd=dir),
                 "100% tests passed, 0 tests failed out of 2", "its own tests")
        with Node(plugins=(), node_settings={"plugin_dir": dir / "build" / "plugins"}) as node:
            shutil.copy(dir / f"{name}.yaml", node.home / "plugins" / "available")
            node.cairn("plugin", "enable", name, "--yes")
            node.start()
            subject, argument, expected = answer
            if use is not None:
                use(node)
            wait_for(f"{kind}: {expected}", 20, lambda: expected in node.cairn(
                "call", f"{name}.{subject}", *argument, "--purpose", "operations"))


def test_a_new_engine_builds_passes_and_runs():
    project("engine", ("count", ("one two three",), "3"))


def test_a_new_policy_builds_passes_and_runs():
    project("policy", ("decide", (), "permit"))


def test_a_new_sink_builds_passes_and_runs():
    project("sink", ("status", (), "0 written"))


def test_a_new_connector_builds_passes_and_runs():
    def use(node):
        inbox = node.home / "state" / "my-connector" / "inbox"
        wait_for("the inbox", 20, inbox.exists)
        (inbox / "scan-1.part").write_text("content")
        (inbox / "scan-1.part").rename(inbox / "scan-1")
        wait_for("the file is taken", 20, lambda: not (inbox / "scan-1").exists())
    project("connector", ("status", (), "1 taken"), use)


def refused(words, *args, status=1):
    with Folder() as work:
        (work / "there").mkdir()
        contains(run(BUILD / "bin" / "cairn", "plugin", "new", *args, cwd=work, status=status), words,
                 " ".join(args))
        equal(sorted(p.name for p in work.iterdir()), ["there"], "what was made")


def test_a_name_that_no_plugin_may_have_is_refused():
    refused("begins with a letter; found '../evil'", "../evil")
    refused("begins with a letter", "9lives")
    refused("begins with a letter", "a" * 33)
    refused("is taken", "kernel")


def test_a_folder_that_is_there_is_not_touched():
    refused("there is there already; nothing was changed", "there")


def test_an_unknown_kind_or_language_lists_what_there_is():
    refused("there are: c-connector, c-engine, c-policy, c-sink", "x", "--kind", "teapot")
    refused("there is no template for --lang ../c --kind engine", "x", "--lang", "../c")


if __name__ == "__main__":
    main(globals())
