# SPDX-License-Identifier: Apache-2.0
"""Cairn plugins in Python, with nothing but the standard library (3.11 or later).

    import cairn

    plugin = cairn.Plugin()


    @plugin.on_call("hello-py.greet")
    def greet(request):
        return b"hello"


    plugin.run()

Beside it lies hello-py.plugin.yaml, the manifest; PLUGINS.md, "In other languages", has the rest.
"""

from .errors import CODES, Error, Retry
from .plugin import Plugin
from .requests import Finding, Job, Request

__all__ = ["CODES", "Error", "Finding", "Job", "Plugin", "Request", "Retry"]
