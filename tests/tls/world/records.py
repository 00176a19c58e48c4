# SPDX-License-Identifier: Apache-2.0
"""A TLS-ending proxy in front of PostgreSQL, as poolers, service meshes and stunnel are: what the server sends is gathered for some
milliseconds and goes out in the longest TLS records there are (16 KiB), where PostgreSQL itself sends 8 KiB at most."""
import select
import socket
import ssl
import struct
import threading
import time

from .processes import free_port

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GATHER_S = 0.008


class LargeRecords:
    """`node` is reached by its Unix socket, without TLS."""

    def __init__(self, node, certificate):
        self.port, self.longest = free_port(), 0
        self._behind = f"{node.data}/.s.PGSQL.{node.port}"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        far = socket.socket(socket.AF_UNIX)
        near = plain
        try:
            if plain.recv(8, socket.MSG_WAITALL) == SSL_REQUEST:
                plain.sendall(b"S")
                near = self._context.wrap_socket(plain, server_side=True)
                far.connect(self._behind)
                self._open.update((near, far))
                self._carry(near, far)
        except (OSError, ValueError):
            pass
        for connection in (near, far):
            self._open.discard(connection)
            connection.close()

    def _carry(self, near, far):
        """One thread for both ways: a TLS connection must not be read and written at the same time."""
        while True:
            ready = [near] if near.pending() else select.select((near, far), (), (), 60)[0]
            if near in ready:
                near.settimeout(0)
                try:
                    content = near.recv(65536)
                except ssl.SSLWantReadError:
                    content = None
                if content == b"":
                    return
                far.sendall(content or b"")
            if far in ready:
                time.sleep(GATHER_S)
                content = far.recv(1 << 20)
                if not content:
                    return
                self.longest = max(self.longest, len(content))
                near.settimeout(30)
                near.sendall(content)
