# SPDX-License-Identifier: Apache-2.0
"""An idle node is small: kernel and both plugins together under 64 MB of proportional memory.  How
long the start took is printed, not asserted: tests/bench/footprint.py measures it."""

import re

from harness import Node, main, wait_for


def test_an_idle_node_fits_in_64_mb():
    with Node() as node:
        node.start()

        def figures():
            status = node.json("status")
            parts = {"kernel": status["node"]["memory_kb"]}
            parts.update({p["name"]: p["memory_kb"] for p in status["plugins"]})
            return parts if all(parts.values()) else None
        parts = wait_for("a memory figure for every process", 10, figures)
        total = sum(parts.values()) / 1024
        log = (node.dir / "node.log").read_text()
        print(f"        {total:.1f} MB: {parts}; ready after "
              f"{re.search(r'ready after ([0-9]+) ms', log).group(1)} ms")
        assert total < 64, f"{total:.1f} MB"


if __name__ == "__main__":
    main(globals())
