# SPDX-License-Identifier: Apache-2.0
"""An S3 server that takes everything: it overwrites, forgets nothing that is unfinished, and its clock is wrong."""
import contextlib
import email.utils
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.ahead_s, usegmt=True)

    def log_message(self, *_):
        pass

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _all(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        objects = self.server.objects
        if self.command == "GET" and "uploads" in query:
            entries = "".join(f"<Upload><Key>x/{n}</Key><UploadId>u{n}</UploadId><Initiated>{at}</Initiated></Upload>"
                              for n, at in enumerate(self.server.uploads))
            self._answer(200, f"<ListMultipartUploadsResult>{entries}<IsTruncated>false</IsTruncated>"
                              "</ListMultipartUploadsResult>".encode())
        elif self.command == "POST" and "uploads" in query:
            self._answer(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        elif self.command == "POST":
            objects[url.path] = b"completed"
            self._answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
        elif self.command == "PUT":
            if "partNumber" not in query:
                objects[url.path] = body
            self._answer(200, ETag='"x"')
        elif self.command == "DELETE":
            objects.pop(url.path, None)
            self._answer(204)
        elif url.path.count("/") < 2 or url.path in objects:
            self._answer(200, objects.get(url.path, b""))
        else:
            self._answer(404)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _all


@contextlib.contextmanager
def careless_store(ahead_s=0, uploads=()):
    """Runs for the time of the block; `uploads` are the times at which unfinished uploads were begun."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.ahead_s, server.uploads, server.objects = ahead_s, list(uploads), {}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
