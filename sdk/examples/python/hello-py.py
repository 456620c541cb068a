# SPDX-License-Identifier: Apache-2.0
"""Calls, jobs, events, settings and a secret.  The tests run it in a real node."""

import hashlib

import cairn

plugin = cairn.Plugin()
done = []


@plugin.on_start
def start():
    assert len(plugin.secret("hello")) == 32
    plugin.log.info("greeting %d names", len(plugin.config.list("names")))


@plugin.on_call("hello-py.greet")
def greet(request):
    return f"{plugin.config['greeting']} {', '.join(plugin.config.list('names'))}"


@plugin.on_call("hello-py.relay")
async def relay(request):
    return b"it says: " + await plugin.call("hello-lua.greet", request.body)


@plugin.on_call("hello-py.later")
async def later(request):
    """The job is on disk when this is answered."""
    await plugin.put("hello-py", request.body, key=hashlib.sha256(request.body).hexdigest())
    return b"accepted"


@plugin.on_job("hello-py")
def work(job):
    (plugin.state_dir / "last").write_bytes(job.body)
    done.append(job.body)
    plugin.publish("hello-py.done", job.body)


@plugin.on_call("hello-py.done")
def list_done(request):
    return b" ".join(done)


@plugin.on_check
def check():
    if plugin.config["greeting"] == "nothing":
        yield cairn.Finding("warning", "the greeting is 'nothing'", "callers will wonder",
                            "set greeting")


@plugin.on_health
def health():
    yield cairn.Finding("fine", f"greets with '{plugin.config['greeting']}'")


plugin.run()
