# SPDX-License-Identifier: Apache-2.0
"""Certificates change, authority and all, while the worker runs: new connections take what the files have now."""
import shutil

import pytest

from test_secrets import export_one
from world.authority import Authority
from world.front import Front


@pytest.fixture(scope="module")
def successor(world):
    return Authority(world.folder / "next", "the next authority")


def replace(target, source):
    """As a mounted Secret changes."""
    fresh = target.with_suffix(".new")
    shutil.copy(source, fresh)
    fresh.chmod(0o600)
    fresh.rename(target)


def test_store__authority_and_certificate_change__taken_without_a_restart(world, successor):
    ca = world.folder / "rotating-s3-ca.crt"
    replace(ca, world.authority.ca)
    front = Front(world.s3.port, world.authority.issue("localhost", file="front"))
    worker = world.worker(EXPORT_S3_ENDPOINT=f"https://localhost:{front.port}", EXPORT_S3_CA_FILE=str(ca))
    try:
        worker.wait_text('"event":"worker-ready"')
        export_one(world, worker)
        replace(ca, successor.ca)
        front.change(successor.issue("localhost", file="front"))
        for _ in range(6):  # every lane has met the new certificate
            export_one(world, worker)
        assert '"event":"breaker-open"' not in worker.text(), worker.text()[-3000:]
        assert worker.stop() == 0
    finally:
        front.close()


def test_store__certificate_changes_to_a_strangers__is_not_taken(world):
    front = Front(world.s3.port, world.authority.issue("localhost", file="front"))
    worker = world.worker(EXPORT_S3_ENDPOINT=f"https://localhost:{front.port}")
    try:
        worker.wait_text('"event":"worker-ready"')
        export_one(world, worker)
        front.change(world.stranger.issue("localhost", file="front"))
        group_id = world.new_group(2)
        world.command(group_id)
        worker.wait_text('"event":"breaker-open"')
        assert not world.results(group_id)
        front.change(world.authority.issue("localhost", file="front"))
        worker.wait_text(f'"outcome":"exported","group":"{group_id}"')
        assert worker.stop() == 0
    finally:
        front.close()


def test_database__authority_and_certificates_change__taken_without_a_restart(world, successor):
    postgres = world.postgres
    folder = world.folder / "rotating-postgres"
    folder.mkdir()
    files = {"sslrootcert": folder / "ca.crt", "sslcert": folder / "client.crt", "sslkey": folder / "client.key"}
    for name, source in zip(files, (world.authority.ca, *postgres.client)):
        replace(files[name], source)
    worker = world.worker(EXPORT_POSTGRES_DSN=postgres.dsn(**{name: str(path) for name, path in files.items()}))
    worker.wait_text('"event":"worker-ready"')
    export_one(world, worker)
    nodes = (postgres.primary, postgres.replica)
    server, client = successor.issue("localhost", file="postgres"), successor.issue("export_worker", hosts=())
    try:
        for name, source in zip(files, (successor.ca, *client)):
            replace(files[name], source)
        for node in nodes:
            node.install(*server, successor.ca)
            node.reload()
        for node in nodes:
            with node.connect() as connection:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'export_worker'")
        for _ in range(6):
            export_one(world, worker)
        assert worker.stop() == 0
    finally:
        for node in nodes:
            node.install(*postgres.good, world.authority.ca)
            node.reload()
