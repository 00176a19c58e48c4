# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus (Debian's) with the rules of deploy/monitoring, which scrapes the workers of a test each second."""
import datetime
import json
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from .queries import MONITORING


def parse_time(text):
    """RFC 3339 with nanoseconds, as Go writes it; seconds since the epoch."""
    whole, rest = text.split(".", 1) if "." in text else (text[:19], text[19:])
    fraction = re.match(r"\d*", rest)[0]
    return datetime.datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}{rest[len(fraction):].replace('Z', '+00:00')}").timestamp()


class Prometheus:
    def __init__(self, folder, targets):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        config = folder / "prometheus.json"  # JSON is YAML
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(MONITORING / "alerts.yml")],
            "scrape_configs": [{"job_name": "users-export", "static_configs": [{"targets": targets}]}],
        }))
        self._log = open(folder / "prometheus.log", "wb")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
             f"--web.listen-address={self.address}"], stdout=self._log, stderr=self._log)

    def api(self, path, **arguments):
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """[{"metric": {label: value}, "value": [time, text]}]"""
        return self.api("query", query=expression)["result"]

    def rules(self):
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def wait_rules(self, timeout=60):
        """The rules, each evaluated twice from now on: alerts look at recorded series of the last evaluation."""
        begun, seen = time.time(), 0
        deadline = time.monotonic() + timeout
        while seen < 2:
            assert time.monotonic() < deadline, "the rules are not evaluated"
            time.sleep(0.3)
            rules = self.rules()
            if all(parse_time(rule["lastEvaluation"]) > begun for rule in rules):
                begun, seen = time.time(), seen + 1
        return rules

    def wait(self, expression, timeout=60):
        """Until the expression has a result."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                if found := self.query(expression):
                    return found
            except OSError:
                assert self._process.poll() is None, "Prometheus has ended"
            assert time.monotonic() < deadline, f"waited {timeout} s for {expression}"
            time.sleep(0.3)

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
