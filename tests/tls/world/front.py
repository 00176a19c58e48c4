# SPDX-License-Identifier: Apache-2.0
"""A TLS server in front of another one, whose certificate can be changed while it runs."""
import socket
import ssl
import threading

from .processes import free_port


class Front:
    """Hands all bytes on to `port`, over TLS again."""

    def __init__(self, port, certificate):
        self.port, self._behind, self._open = free_port(), port, set()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.check_hostname, self._client.verify_mode = False, ssl.CERT_NONE
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def change(self, certificate):
        """From now on; connections of before end."""
        self._context.load_cert_chain(*certificate)
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
        other = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        other.start()
        self._pump(near, far)
        other.join(30)
        for connection in (near, far):
            self._open.discard(connection)
            connection.close()

    def _pump(self, source, target):
        try:
            while True:
                content = source.recv(65536)
                if not content:
                    break
                target.sendall(content)
        except OSError:
            pass
        self._end(source)
        self._end(target)
