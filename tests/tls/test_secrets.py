# SPDX-License-Identifier: Apache-2.0
"""Secrets: by file, changed while the worker runs, issued for a time; said nowhere."""
import datetime
import http.server
import json
import os
import signal
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from world.gateway import Gateway
from world.processes import wait_for


def by_file(world, **values):
    """Settings with these secrets in files: (settings, {name: path})."""
    folder = world.folder / f"secrets-{time.monotonic_ns()}"
    folder.mkdir()
    paths = {}
    changes = {}
    for name, value in values.items():
        paths[name] = folder / name
        paths[name].write_text(value + "\n", encoding="ascii")
        changes[name] = None
        changes[name + "_FILE"] = str(paths[name])
    return changes, paths


def put(path, value):
    """As a mounted Secret changes: another file stands there."""
    fresh = path.with_suffix(".new")
    fresh.write_text(value + "\n", encoding="ascii")
    fresh.rename(path)


def export_one(world, worker):
    group_id = world.new_group(2)
    world.command(group_id)
    worker.wait_text(f'"outcome":"exported","group":"{group_id}"')


@pytest.mark.parametrize("how", ["hangup", "by itself"])
def test_store__key_changes__new_one_is_used_without_a_restart(world, how):
    changes, paths = by_file(world, EXPORT_S3_ACCESS_KEY_ID="export-worker", EXPORT_S3_SECRET_ACCESS_KEY=world.secret["s3"])
    worker = world.worker(**changes)
    worker.wait_text('"event":"worker-ready"')
    export_one(world, worker)
    put(paths["EXPORT_S3_SECRET_ACCESS_KEY"], "a-key-that-is-wrong")
    if how == "hangup":
        worker.process.send_signal(signal.SIGHUP)
    worker.wait_text('"store":"changed"', 30)
    group_id = world.new_group(2)
    world.command(group_id)
    worker.wait_text("breaker-open", 30)
    put(paths["EXPORT_S3_SECRET_ACCESS_KEY"], world.secret["s3"])
    if how == "hangup":
        worker.process.send_signal(signal.SIGHUP)
    worker.wait_text(f'"outcome":"exported","group":"{group_id}"', 60)
    assert worker.stop() == 0


def test_store__file_is_broken_on_hangup__that_of_before_is_used(world):
    changes, paths = by_file(world, EXPORT_S3_ACCESS_KEY_ID="export-worker", EXPORT_S3_SECRET_ACCESS_KEY=world.secret["s3"])
    worker = world.worker(**changes)
    worker.wait_text('"event":"worker-ready"')
    paths["EXPORT_S3_SECRET_ACCESS_KEY"].unlink()
    worker.process.send_signal(signal.SIGHUP)
    worker.wait_text('"event":"secrets-failed"')
    export_one(world, worker)
    assert worker.stop() == 0


def test_redis__url_changes__new_one_is_used_without_a_restart(world, redis_server):
    import redis
    changes, paths = by_file(world, EXPORT_REDIS_URL=f"redis://:wrong-password@127.0.0.1:{redis_server[0]}/0")
    worker = world.worker(**changes)
    worker.wait_text('"event":"worker-ready"')
    export_one(world, worker)
    put(paths["EXPORT_REDIS_URL"], f"redis://:{world.secret['redis']}@127.0.0.1:{redis_server[0]}/3")
    worker.process.send_signal(signal.SIGHUP)
    worker.wait_text('"redis":"changed"')
    client = redis.Redis(port=redis_server[0], password=world.secret["redis"], db=3)
    client.flushdb()
    for _ in range(4):  # each lane has a connection of its own
        export_one(world, worker)
    assert client.dbsize() > 0
    assert worker.stop() == 0


class Issuer:
    """A stand-in for STS and for a container's credentials endpoint: hands out the worker's key, for `life` seconds."""

    def __init__(self, world, life=3600):
        self.world, self.life, self.asked, self.refuse = world, life, [], False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                outer.asked.append(form)
                if outer.refuse:
                    self.answer(400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>"
                                     f"{form['WebIdentityToken']}</Message></Error></ErrorResponse>")
                else:
                    self.answer(200, "<AssumeRoleWithWebIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'>"
                                     "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>export-worker</AccessKeyId>"
                                     f"<SecretAccessKey>{world.secret['s3']}</SecretAccessKey><SessionToken>issued-session-token</SessionToken>"
                                     f"<Expiration>{outer.end()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
                                     "</AssumeRoleWithWebIdentityResponse>")

            def do_GET(self):
                outer.asked.append({"path": self.path, "Authorization": self.headers["Authorization"]})
                self.answer(200, json.dumps({"AccessKeyId": "export-worker", "SecretAccessKey": world.secret["s3"],
                                             "Token": "issued-session-token", "Expiration": outer.end()}))

            def answer(self, status, text):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.life)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def issuer(world):
    made = Issuer(world)
    made.gateway = Gateway(world.s3, "issued-session-token")
    yield made
    made.gateway.close()
    made.close()


def without_keys(issuer):
    return {"EXPORT_S3_ACCESS_KEY_ID": None, "EXPORT_S3_SECRET_ACCESS_KEY": None, "EXPORT_S3_ENDPOINT": issuer.gateway.endpoint,
            "EXPORT_S3_CA_FILE": None}


def as_role(world, issuer, token="the-identity-token"):
    path = Path(world.folder, "identity-token")
    path.write_text(token, encoding="ascii")
    return {**without_keys(issuer), "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/users-export", "AWS_WEB_IDENTITY_TOKEN_FILE": str(path),
            "AWS_ENDPOINT_URL_STS": issuer.url + "/"}


def test_role__web_identity__asked_once_and_used(world, issuer):
    worker = world.worker(**as_role(world, issuer))
    worker.wait_text('"event":"worker-ready"')
    for _ in range(3):
        export_one(world, worker)
    assert worker.stop() == 0
    assert len(issuer.asked) == 1 and not issuer.gateway.refused
    assert issuer.asked[0]["RoleArn"].endswith("role/users-export") and issuer.asked[0]["WebIdentityToken"] == "the-identity-token"


def test_role__credentials_end_soon__renewed_before_with_the_newest_token(world, issuer):
    issuer.life = 9
    worker = world.worker(**as_role(world, issuer))
    worker.wait_text('"event":"worker-ready"')
    Path(world.folder, "identity-token").write_text("the-next-token", encoding="ascii")
    deadline = time.monotonic() + 16
    while time.monotonic() < deadline:
        export_one(world, worker)
        time.sleep(0.5)
    assert worker.stop() == 0
    assert 2 <= len(issuer.asked) <= 5 and issuer.asked[-1]["WebIdentityToken"] == "the-next-token"
    assert "breaker-open" not in worker.text()


def test_role__issuer_refuses__outage_with_its_code_and_not_its_text(world, issuer):
    issuer.refuse = True
    worker = world.worker(**as_role(world, issuer), EXPORT_STARTUP_TIMEOUT="4s")
    assert worker.stop_itself(40) == 3
    assert "ExpiredTokenException" in worker.text() and "the-identity-token" not in worker.text()


def test_container__full_address_with_token__used(world, issuer):
    worker = world.worker(**without_keys(issuer), AWS_CONTAINER_CREDENTIALS_FULL_URI=issuer.url + "/v1/credentials",
                          AWS_CONTAINER_AUTHORIZATION_TOKEN="the-container-token")
    worker.wait_text('"event":"worker-ready"')
    export_one(world, worker)
    assert worker.stop() == 0
    assert issuer.asked == [{"path": "/v1/credentials", "Authorization": "the-container-token"}]
    assert "the-container-token" not in worker.text()


def test_container__plain_text_to_a_stranger__is_not_asked(world, issuer):
    worker = world.worker(**without_keys(issuer), AWS_CONTAINER_CREDENTIALS_FULL_URI="http://credentials.example:1/", EXPORT_STARTUP_TIMEOUT="3s")
    assert worker.stop_itself(40) == 3
    assert '"event":"start-failed","code":"store-authentication"' in worker.text(), worker.text()


def test_process__secrets__are_in_no_command_line_and_no_core(world):
    worker = world.worker()
    worker.wait_text('"event":"worker-ready"')
    command_line = Path(f"/proc/{worker.process.pid}/cmdline").read_bytes()
    assert not any(secret.encode() in command_line for secret in world.secret.values())
    limits = Path(f"/proc/{worker.process.pid}/limits").read_text(encoding="ascii")
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core
    # Not dumpable: what the process has in /proc belongs to root, whoever runs it.
    status = Path(f"/proc/{worker.process.pid}/environ").stat()
    assert status.st_uid == 0
    os.kill(worker.process.pid, signal.SIGABRT)
    assert worker.stop_itself(20) == -signal.SIGABRT
    assert not worker_core(worker), "a core was written"


def worker_core(worker):
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    return [] if pattern.startswith("|") else list(Path.cwd().glob(f"core*{worker.process.pid}*"))


def test_output__everything_fails__no_secret_is_said(world):
    """Each dependency refuses in turn, at the most talkative level; `after` in conftest.py looks for the secrets."""
    talkative = {"EXPORT_LOG_LEVEL": "debug", "EXPORT_KAFKA_DEBUG": "all", "EXPORT_STARTUP_TIMEOUT": "3s"}
    marks = {"EXPORT_KAFKA_SASL_PASSWORD": "okapi-kafka", "EXPORT_S3_SECRET_ACCESS_KEY": "okapi-s3", "EXPORT_S3_SESSION_TOKEN": "okapi-token",
             "EXPORT_POSTGRES_DSN": "host=localhost password=okapi-postgres sslmode=verify-full port=1",
             "EXPORT_REDIS_URL": "redis://:okapi-redis@127.0.0.1:1/0", "EXPORT_EXPORT_MASK_KEY": "okapi-mask"}
    said = ""
    for name, value in marks.items():
        worker = world.worker(**talkative, **{name: value})
        wait_for(lambda: worker.process.poll() is not None or '"event":"worker-ready"' in worker.text(), "an end", 60)
        worker.stop()
        said += worker.text()
        for subcommand in (("config", "show"), ("config", "check"), ("topics", "check")):
            said += world.run("exportctl", *subcommand, **talkative, **{name: value})[1]
        said += world.run("export-scheduler", "--dry-run", **talkative, **{name: value})[1]
    # Values that are wrong in form, too.
    for name in marks:
        said += world.run("exportctl", "config", "check", **{name: "okapi-\x01broken://okapi-form@[x"})[1]
    assert "okapi" not in said
