# SPDX-License-Identifier: Apache-2.0
"""A worker's HTTP port: its metrics as an independent parser reads them, and its health."""
import http.client
import subprocess

from prometheus_client.parser import text_string_to_metric_families

LISTEN = {"http__listen": "127.0.0.1:0"}


def address_of(worker, timeout=20):
    return worker.wait_log(lambda line: "address" in line, timeout, "the HTTP server")[0]["address"]


def ask(address, path, method="GET", timeout=10):
    """(status, body as text, headers)"""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {}
        for family in self.families.values():
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.samples, f"a series stands twice: {key}"
                self.samples[key] = sample.value

    def value(self, name, **labels):
        """None: there is no such series."""
        return self.samples.get((name, frozenset(labels.items())))

    def sum(self, name, **labels):
        return sum(value for (found, has), value in self.samples.items() if found == name and set(labels.items()) <= has)

    def labels(self, name, label):
        return {dict(has)[label] for (found, has) in self.samples if found == name}


def scrape(address):
    status, text, headers = ask(address, "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(text)


def promtool_check(text):
    """What `promtool check metrics` has to say; not valid: an error."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode in (0, 3), done.stderr  # 3: valid, with remarks
    return [line for line in done.stderr.splitlines() if line]
