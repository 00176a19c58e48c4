# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy in front of a service: weather for one test alone."""
import contextlib
import socket
import threading


class Proxy:
    """Listens on a port of its own; `down()` cuts all connections and refuses new ones, `hang()` swallows what is sent,
    `mute()` the queries of PostgreSQL's clients: it lets them log in."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._listener = None
        self._pairs = set()
        self._lock = threading.Lock()
        self._hanging = threading.Event()
        self._mute = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.accepted = 0
        self.up()

    def up(self):
        self._hanging.clear()
        self._mute.clear()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hang(self):
        self._hanging.set()

    def mute(self):
        self._mute.set()

    def cut(self):
        """All connections of now are reset."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def down(self):
        listener, self._listener = self._listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    @contextlib.contextmanager
    def outage(self):
        self.down()
        try:
            yield
        finally:
            self.up()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(self._target, timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.add((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                is_query = data[:1] in (b"Q", b"P")  # Query, Parse; no server's message begins so
                if not self._hanging.is_set() and not (is_query and self._mute.is_set()):
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
