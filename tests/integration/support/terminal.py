# SPDX-License-Identifier: Apache-2.0
"""exportctl while it runs: beside the test with pipes, or with a terminal of its own."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time

from .programs import environment, program


class Beside:
    """A running exportctl; what it prints is collected line by line."""

    def __init__(self, settings, *arguments):
        self.process = subprocess.Popen([program("exportctl"), *arguments], env=environment(settings),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = [], []
        self._threads = [threading.Thread(target=self._collect, args=pair, daemon=True)
                         for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line.decode().rstrip("\n"))

    def wait_line(self, condition, timeout=40, what="a line"):
        deadline = time.monotonic() + timeout
        while True:
            found = [line for line in list(self.out) if condition(line)]
            if found:
                return found
            assert self.process.poll() is None, f"it ended with {self.process.returncode} before {what}: {self}"
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}: {self}"
            time.sleep(0.05)

    def wait(self, timeout=40):
        """The exit code, once everything that it said is here."""
        code = self.process.wait(timeout)
        for thread in self._threads:
            thread.join(10)
        return code

    def interrupt(self, timeout=5, how=signal.SIGINT):
        """Ctrl-C; (exit code, seconds until the end)"""
        start = time.monotonic()
        self.process.send_signal(how)
        code = self.wait(timeout)
        return code, time.monotonic() - start

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)

    def __repr__(self):
        return "\n".join(["stdout:", *self.out[-40:], "stderr:", *self.err[-40:]])


def read_one_line(settings, *arguments, timeout=60):
    """Like `exportctl … | head -1`: (exit code, the line, stderr)"""
    process = subprocess.Popen([program("exportctl"), *arguments], env=environment(settings), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        line = process.stdout.readline().decode(errors="replace")
        process.stdout.close()
        err = process.stderr.read().decode()
        return process.wait(timeout), line, err
    finally:
        process.kill()


def on_terminal(settings, *arguments, timeout=60, stop_after=None, size=(24, 120), answer=None):
    """Run exportctl with a terminal for all three streams: (exit code, everything that was written to it). With
    `stop_after`, Ctrl-C is typed once that text has appeared; `answer` is typed at a question."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen([program("exportctl"), *arguments], env=environment(settings), stdin=slave, stdout=slave,
                               stderr=slave, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    shown, deadline = b"", time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if answer and b"[y/N]" in shown:
                os.write(master, answer.encode() + b"\n")
                answer = None
            if stop_after and stop_after.encode() in shown:
                os.write(master, b"\x03")
                stop_after = None
        assert time.monotonic() < deadline, shown[-3000:]
        return process.wait(20), shown.decode(errors="replace")
    finally:
        if process.poll() is None:
            process.kill()
        os.close(master)
