# SPDX-License-Identifier: Apache-2.0
"""Servers as child processes, ended with the session; ports of 127.0.0.1."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("USERS_EXPORT_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "users-export")
BIN = Path(os.environ.get("USERS_EXPORT_BIN") or ROOT / "build/release/bin").absolute()


def free_port():
    """Below the range of outgoing connections, so that nobody else gets it meanwhile."""
    for port in range(20000 + os.getpid() * 7 % 9000, 30000):
        with socket.socket() as probe:
            if port not in free_port.given and probe.connect_ex(("127.0.0.1", port)) != 0:
                free_port.given.add(port)
                return port
    raise AssertionError("no free port")


free_port.given = set()


def wait_for(condition, what, timeout=60):
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.1)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    def __init__(self, name, command, log, env=None, cwd=None):
        self.name, self.command, self.log_path, self._env, self._cwd = name, [str(word) for word in command], Path(log), env, cwd
        self.process = None

    def start(self, ready, timeout=90):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, cwd=self._cwd,
                                            start_new_session=True)

        def there():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.text()[-3000:]}"
            return ready()

        wait_for(there, f"{self.name}", timeout)
        return self

    def text(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def stop(self, how=signal.SIGTERM, timeout=30):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


def run(program, *arguments, env, timeout=90):
    """A program of ours; what it said, stdout and stderr together, and its exit code."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS") if name in os.environ}
    done = subprocess.run([str(BIN / program), *arguments], env={**keep, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode()


class Worker:
    def __init__(self, env, log, arguments=()):
        self.log_path = Path(log)
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS") if name in os.environ}
        with open(log, "wb") as file:
            self.process = subprocess.Popen([str(BIN / "export-worker"), *arguments], env={**keep, **env}, stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file)

    def text(self):
        return self.log_path.read_text(encoding="utf-8")

    def wait_text(self, text, timeout=60, count=1):
        def there():
            assert self.process.poll() is None or self.text().count(text) >= count, f"the worker ended: {self.text()[-3000:]}"
            return self.text().count(text) >= count

        wait_for(there, f"{text!r} from the worker: {self.text()[-3000:]}", timeout)

    def stop(self, timeout=60):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout)

    def stop_itself(self, timeout=60):
        """The exit code of a worker that ends without being told."""
        return self.process.wait(timeout)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
