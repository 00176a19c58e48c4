# SPDX-License-Identifier: Apache-2.0
"""The private services: their addresses, and how to make weather.

The addresses come from the environment (`deploy/lib/services env` prints it, `tests/run` sets it); where it is not set, the
services are started here and end with this process. Of several processes of pytest-xdist each needs services of its own,
because a test may stop one: the first takes those of the environment. The programs are taken from $USERS_EXPORT_BIN, by
default build/release/bin.
"""
import contextlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "deploy/lib/services"
BIN = Path(os.environ.get("USERS_EXPORT_BIN") or ROOT / "build/release/bin").absolute()


def _parse_env(text):
    settings = {}
    for line in text.splitlines():
        for word in shlex.split(line):
            name, _, value = word.partition("=")
            settings[name] = value
    return settings


def _script(*arguments, run_dir=None, timeout=1200):
    command = ["bash", str(SCRIPT), *arguments]
    if run_dir:
        command += ["--run-dir", run_dir]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed with {done.returncode}")
    return done.stdout.strip()


class Services:
    """What the tests know of the services; `settings` are the variables that the programs are started with."""

    def __init__(self):
        self._own = None
        process = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        given = os.environ.get("USERS_EXPORT_RUN_DIR")
        if given and process == "gw0":
            self._all = dict(os.environ)
        else:
            beside = f"{given}-{process}" if given else None
            self._own = _script("start", "--owner", str(os.getpid()), run_dir=beside).splitlines()[-1]
            self._all = _parse_env(_script("env", run_dir=self._own))
        self.settings = {k: v for k, v in self._all.items() if k.startswith("EXPORT_")}
        self.run_dir = self._all["USERS_EXPORT_RUN_DIR"]
        self.admin_dsn = self._all["USERS_EXPORT_ADMIN_DSN"]
        self.worker_dsn = self.settings["EXPORT_POSTGRES_DSN"]
        self.bootstrap = self.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"]
        self.redis_url = self.settings["EXPORT_REDIS_URL"]
        self.domain_id = self.settings["EXPORT_EXPORT_DOMAIN_ID"]

    def secrets(self):
        """Values that may stand in no log, header or record."""
        password = self.worker_dsn.split("://", 1)[1].split("@")[0].split(":", 1)[1]
        return [password, self.settings["EXPORT_S3_SECRET_ACCESS_KEY"]]

    def restart(self, name):
        _script("restart", name, run_dir=self.run_dir)

    def kill(self, name):
        _script("kill", name, run_dir=self.run_dir)

    def start(self, name):
        _script("start", name, run_dir=self.run_dir)

    @contextlib.contextmanager
    def stopped(self, name):
        """The service is killed for the time of the block."""
        self.kill(name)
        try:
            yield
        finally:
            self.start(name)

    @contextlib.contextmanager
    def paused(self, name):
        """The service is stopped with SIGSTOP for the time of the block: its connections stay, and nothing is answered."""
        _script("pause", name, run_dir=self.run_dir)
        try:
            yield
        finally:
            _script("resume", name, run_dir=self.run_dir)

    def close(self):
        if self._own:
            _script("stop", run_dir=self._own)
            shutil.rmtree(self._own, ignore_errors=True)
