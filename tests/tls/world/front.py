# SPDX-License-Identifier: Apache-2.0
"""A TLS server in front of another one, whose certificate can be changed while it runs."""
import select
import socket
import ssl
import threading

from .processes import free_port


class Front:
    """Hands all bytes on to `port`, over TLS again."""

    def __init__(self, port, certificate):
        self.port, self._behind, self._open = free_port(), port, set()
        self._context = self._context_of(certificate)
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.check_hostname, self._client.verify_mode = False, ssl.CERT_NONE
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _context_of(certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        return context

    def change(self, certificate):
        """From now on; connections and sessions of before end, as with a server that was started anew."""
        self._context = self._context_of(certificate)
        for connection in list(self._open):
            self._end(connection)

    def close(self):
        self._listener.close()
        for connection in list(self._open):
            self._end(connection)

    @staticmethod
    def _end(connection):
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
        try:
            near = self._context.wrap_socket(plain, server_side=True)
            far = self._client.wrap_socket(socket.create_connection(("127.0.0.1", self._behind)))
        except OSError:
            plain.close()
            return
        self._open.update((near, far))
        try:
            self._carry(near, far)
        except (OSError, ValueError):
            pass
        for connection in (near, far):
            self._open.discard(connection)
            connection.close()

    @staticmethod
    def _carry(near, far):
        """One thread for both ways: a TLS connection must not be read and written at the same time."""
        while True:
            if not near.pending() and not far.pending():
                select.select((near, far), (), (), 60)
            for source, target in ((near, far), (far, near)):
                source.settimeout(0)
                try:
                    content = source.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                if not content:
                    return
                target.settimeout(30)
                target.sendall(content)
