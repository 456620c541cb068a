# SPDX-License-Identifier: Apache-2.0
"""What an operator is told of each kind of broken plugin, word by word: expected, found, file, and
what to do.  broken_test.py --update writes broken.txt anew; read the difference before keeping it."""

import pathlib
import re
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from harness import ROOT, Node, equal, main, wait_for  # noqa: E402

GOLDEN = HERE / "broken.txt"
PLUGIN = """#include <cairn/plugin.h>
#include <stdlib.h>
static int call(void *s, struct cairn_request *r, struct cairn_error *e)
{ (void)s, (void)e; return cairn_reply(r, "x", 1); }
"""
SECTION = '__attribute__((section(".cairn.manifest"), used)) static const char m[] = '
GOOD = 'CAIRN_PLUGIN("NAME", "0.1.0", "summary: Broken\\n" MORE, .call = call)\n'
BARE = 'const struct cairn_plugin cairn_plugin = {.size = SIZE, .abi = ABI, .call = call};\n'


def manifest(name, more="", abi=1):
    return f'{SECTION}"name: {name}\\nversion: 0.1.0\\nabi: {abi}\\nsummary: Broken\\n{more}";\n'


def good(name, more=""):
    return GOOD.replace("NAME", name).replace("MORE", f'"{more}"')


def bare(size="sizeof(struct cairn_plugin)", abi="1"):
    return BARE.replace("SIZE", size).replace("ABI", abi)


# Refused when it is enabled: the file or its manifest is wrong.
AT_ENABLE = {
    "no-manifest": bare(),
    "manifest-no-yaml": SECTION + '"name: [broken";\n' + bare(),
    "newer-abi": manifest("newer-abi", abi=99) + bare(),
    "unknown-capability": good("unknown-capability", "capabilities: [listen:udp]\\n"),
    "unknown-key": good("unknown-key", "capability: [listen:tcp]\\n"),
    "duplicate-subject": good("duplicate-subject", "serves: [{subject: a.b}, {subject: a.b}]\\n"),
    "wrong-name": good("other-name"),
    "wrong-machine": good("wrong-machine"),
    "truncated": good("truncated"),
    "not-elf": None,
}
# Found by its host, which says so instead of starting it.
AT_START = {
    "wrong-size": manifest("wrong-size") + bare(size="8"),
    "other-abi": manifest("other-abi") + bare(abi="99"),
    "no-symbol": manifest("no-symbol"),
    "wrong-symbol": manifest("wrong-symbol") + "CAIRN_EXPORT const char cairn_plugin[64] = {1};\n",
    "unresolved": "int nowhere(void);\nstatic int start(struct cairn *c, void **s, struct "
                  "cairn_error *e)\n{ (void)c, (void)s, (void)e; return nowhere(); }\n" +
                  manifest("unresolved") + bare().replace(".call = call",
                                                          ".call = call, .start = start"),
}


def make(folder, name, source):
    path = folder / f"{name}.so"
    if source is None:
        path.write_text("#!/bin/sh\necho I am no shared object, but long enough for a header\n")
        return
    head = PLUGIN if "CAIRN_EXPORT" not in source else "#include <stdlib.h>\n" \
        "#define CAIRN_EXPORT __attribute__((visibility(\"default\")))\n"
    code = folder / f"{name}.c"
    code.write_text(head + source)
    subprocess.run(["cc", "-std=c11", "-w", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                    ROOT / "sdk/include", "-o", path, code], check=True)
    data = bytearray(path.read_bytes())
    if name == "wrong-machine":
        data[18:20] = struct.pack("<H", 0xF3)
        path.write_bytes(data)
    elif name == "truncated":
        path.write_bytes(data[:len(data) // 2])


def clean(text, node):
    text = text.replace(str(node.plugins), "PLUGINS")
    text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:DIGEST", text)
    text = re.sub(r"descriptor of \d+ bytes", "descriptor of N bytes", text)
    return text.strip()


def last_error(node, name):
    return wait_for(name, 30, lambda: node.plugin(name).get("last_error", ""))


def found():
    lines = {}
    with Node(plugins=()) as node:
        node.plugins = node.dir / "plugins"
        node.plugins.mkdir()
        node.set("node.yaml", "plugin_dir", str(node.plugins))
        for name, source in AT_ENABLE.items():
            make(node.plugins, name, source)
            node.cairn("plugin", "enable", name, status=1)
            lines[name] = clean(node.stderr.splitlines()[0], node)
        for name, source in AT_START.items():
            make(node.plugins, name, source)
            node.cairn("plugin", "enable", name)
        node.start(wait=False)
        wait_for("the node", 20, lambda: node.json("status", status=None).get("plugins"))
        for name in AT_START:
            lines[name] = clean(last_error(node, name), node)
    return "".join(f"{name}:\n  {text}\n" for name, text in lines.items())


def test_every_broken_plugin_is_told_word_by_word():
    equal(found(), GOLDEN.read_text(), "what is said of broken plugins")


if sys.argv[1:] == ["--update"]:
    GOLDEN.write_text(found())
else:
    main(globals())
