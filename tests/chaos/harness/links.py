# SPDX-License-Identifier: Apache-2.0
"""The proxy's process and what the harness tells it."""
import json
import socket
import subprocess
import sys
import threading

from . import CHAOS


class Proxy:
    def __init__(self, folder):
        self._path = str(folder / "proxy.socket")
        self._log = open(folder / "proxy.log", "ab")
        self._process = subprocess.Popen([sys.executable, "-m", "harness.proxy", self._path], cwd=CHAOS,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)
        assert self._process.stdout.readline() == b"ready\n", "the proxy did not start"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._path)
        self._socket.settimeout(20)
        self._file = self._socket.makefile("rwb")
        self._lock = threading.Lock()
        self.names = []

    def _ask(self, **request):
        with self._lock:
            self._file.write(json.dumps(request).encode() + b"\n")
            self._file.flush()
            answer = json.loads(self._file.readline())
        assert "error" not in answer, answer
        return answer

    def open(self, name, kind, port, target_port):
        self._ask(do="open", name=name, kind=kind, port=port, target=["127.0.0.1", target_port])
        self.names.append(name)

    def weather(self, links, **weather):
        """Replace the links' weather; without any the links are as good as new."""
        links = [name for name in self.names if name in set(links)]
        self._ask(do="weather", links=links, weather=weather)

    def calm(self):
        self.weather(self.names)

    def writes(self):
        """{path: how often the store made that object}. To complete an upload again makes nothing: S3 answers 200 once more."""
        counts, completed = {}, set()
        for _, path, upload in self._ask(do="writes")["writes"]:
            if upload and (path, upload) in completed:
                continue
            completed.add((path, upload))
            counts[path] = counts.get(path, 0) + 1
        return counts

    def started(self, worker):
        self._ask(do="started", worker=worker)

    def late_positions(self):
        """[(worker, time)] of positions that a worker sent between giving up its partitions and being given new ones"""
        return self._ask(do="late-positions")["late"]

    def transactional_ids(self):
        """{link: the id with which the last producer behind it introduced itself}"""
        return self._ask(do="transactional-ids")["ids"]

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._socket.close()
        self._log.close()
