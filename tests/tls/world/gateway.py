# SPDX-License-Identifier: Apache-2.0
"""An S3 server that wants a session token: takes requests that are signed with the issued one, and hands them on to versitygw,
which knows none, signed anew without it."""
import http.client
import http.server
import ssl
import threading

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HANDED_ON = ("content-type", "x-amz-content-sha256", "if-none-match", "if-match", "range", "x-amz-server-side-encryption")


class Gateway:
    def __init__(self, s3, token):
        self.refused = []
        outer = self
        context = ssl.create_default_context(cafile=str(s3.authority.ca))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def hand_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("x-amz-security-token") != token or "x-amz-security-token" not in self.headers.get("Authorization", ""):
                    outer.refused.append(self.path)
                    return self.answer(403, {}, b"<Error><Code>InvalidToken</Code></Error>")
                headers = {name: value for name, value in self.headers.items()
                           if name.lower() in HANDED_ON or name.lower().startswith("x-amz-meta-")}
                request = AWSRequest(self.command, f"https://localhost:{s3.port}{self.path}", data=body, headers=headers)
                S3SigV4Auth(Credentials("export-worker", s3.password), "s3", "us-east-1").add_auth(request)
                connection = http.client.HTTPSConnection("localhost", s3.port, timeout=30, context=context)
                connection.request(self.command, self.path, body=body, headers=dict(request.headers.items()))
                answer = connection.getresponse()
                content = answer.read()
                self.answer(answer.status, dict(answer.getheaders()), content)
                connection.close()
                return None

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = hand_on

            def answer(self, status, headers, content):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                length = headers.get("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
