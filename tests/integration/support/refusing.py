# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy before the store that hands everything on as it came, but for what a rule answers itself."""
import contextlib
import http.client
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def error(status, code=""):
    """An answer of S3's kind."""
    return status, f"<Error><Code>{code}</Code></Error>".encode() if code else b""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _all(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        refusal = self.server.rule(self.command, self.path, self.headers)
        if refusal:
            self.server.refused += 1
            status, data, headers = refusal[0], refusal[1], list(refusal[2].items()) if len(refusal) > 2 else []
        else:
            connection = http.client.HTTPConnection(self.server.target, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            status, data, headers = answer.status, answer.read(), answer.getheaders()
            connection.close()
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        length = dict((n.lower(), v) for n, v in headers).get("content-length") if self.command == "HEAD" else None
        if status != 204:
            self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _all


def allow(_method, _path, _headers):
    """The rule of a proxy that refuses nothing."""
    return None


@contextlib.contextmanager
def refusing(endpoint, rule=allow):
    """Runs for the time of the block. `rule(method, path, headers)` gives (status, body) or (status, body, headers), or None to hand
    a request on; `server.rule`
    may be changed, `server.refused` counts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.target, server.rule, server.refused = urllib.parse.urlsplit(endpoint).netloc, rule, 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
