# SPDX-License-Identifier: Apache-2.0
"""A FHIR server that can misbehave: pages, Bulk Data export, a token endpoint that checks the
signature's form; busy, slow, broken and lying on demand."""

import base64
import http.server
import json
import threading
import time
import urllib.parse


class Stub:
    """`resources`: by type. What it was asked is in `asked` (paths)."""

    def __init__(self, resources, page=2):
        self.resources = resources
        self.page = page
        self.asked = []
        self.busy = 0            # so many answers of 429 come first
        self.fail_page = None    # this offset is answered 500, once it is reached
        self.next = None         # what link.next says instead
        self.bad_json = False
        self.redirect = None
        self.hang = threading.Event()
        self.hang_at = None      # a path with this waits for `hang`
        self.token = None        # required when set
        self.assertions = []
        self.polls = 0           # 202 before an export is made
        self.cut_file = None     # bytes of an export's file after which the connection ends
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                stub.get(self)

            def do_POST(self):
                stub.post(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # who breaks off is what is tested
        self.base = f"http://127.0.0.1:{self.server.server_port}/r4"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()

    def send(self, handler, status, body=b"", headers=()):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def get(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.asked.append(handler.path)
        if self.hang_at is not None and self.hang_at in handler.path:
            self.hang.wait(60)
        if self.busy > 0:
            self.busy -= 1
            return self.send(handler, 429, headers=[("Retry-After", "0")])
        if self.redirect is not None:
            return self.send(handler, 302, headers=[("Location", self.redirect)])
        if self.token is not None and handler.headers.get("Authorization") != "Bearer " + self.token:
            return self.send(handler, 401)
        name = url.path.rsplit("/", 1)[-1]
        if name == "$export":
            if handler.headers.get("Prefer") != "respond-async":
                return self.send(handler, 400)
            return self.send(handler, 202, headers=[("Content-Location", self.base + "/status")])
        if name == "status":
            return self.status(handler)
        if url.path.startswith("/r4/file/"):
            return self.file(handler, name)
        return self.search(handler, name, query)

    def search(self, handler, name, query):
        if name not in self.resources:
            return self.send(handler, 404)
        found = self.resources[name]
        since = query.get("_lastUpdated", "")[2:]
        found = [r for r in found if r["meta"]["lastUpdated"] >= since]
        start = int(query.get("start", 0))
        if self.fail_page is not None and (name, start) == self.fail_page:
            return self.send(handler, 500)
        bundle = {"resourceType": "Bundle", "type": "searchset", "link": [],
                  "entry": [{"fullUrl": f"{self.base}/{name}/{r['id']}", "resource": r}
                            for r in found[start:start + self.page]]}
        if start + self.page < len(found):
            query["start"] = start + self.page
            bundle["link"].append({"relation": "next", "url": self.next or
                                   f"{self.base}/{name}?{urllib.parse.urlencode(query)}"})
        body = json.dumps(bundle).encode()
        self.send(handler, 200, body[:-5] if self.bad_json else body,
                  [("Content-Type", "application/fhir+json")])

    def status(self, handler):
        if self.polls > 0:
            self.polls -= 1
            return self.send(handler, 202, headers=[("Retry-After", "1")])
        output = [{"type": name, "url": f"{self.base}/file/{name}"} for name in self.resources]
        body = {"transactionTime": "2026-01-01T00:00:00Z", "request": "", "requiresAccessToken": True,
                "output": output, "error": []}
        self.send(handler, 200, json.dumps(body).encode())

    def file(self, handler, name):
        body = "".join(json.dumps(r) + "\n" for r in self.resources[name]).encode()
        if self.cut_file is not None and name != "Patient":
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:self.cut_file])
            handler.wfile.flush()
            time.sleep(0.2)
            handler.close_connection = True
            handler.connection.close()
            return
        self.send(handler, 200, body)

    def post(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        parts = form["client_assertion"].split(".")
        self.assertions.append((form, [base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))
                                       for p in parts], form["client_assertion"]))
        self.send(handler, 200, json.dumps({"access_token": self.token, "token_type": "bearer",
                                            "expires_in": 300}).encode())
