# SPDX-License-Identifier: Apache-2.0
"""What must not work does not: a clear error, and never plain text instead."""
import pytest

from world.processes import Server, free_port, listens

SHORT = {"EXPORT_STARTUP_TIMEOUT": "4s"}


@pytest.fixture(scope="module")
def impostors(world):
    """TLS servers with certificates that must not be taken: (port of an expired one, of one for another host)."""
    ports = []
    servers = []
    for name, options in (("expired", {"expired": True}), ("elsewhere", {"hosts": ("DNS:elsewhere.example",)})):
        certificate, key = world.authority.issue(name, **options)
        ports.append(free_port())
        servers.append(Server(name, ["openssl", "s_server", "-accept", f"127.0.0.1:{ports[-1]}", "-cert", certificate, "-key", key, "-quiet"],
                              world.folder / f"{name}.log").start(lambda: listens(ports[-1])))
    yield ports
    for server in servers:
        server.stop()


def kafka_refuses(world, *hints, code=3, **changes):
    found, said = world.run("export-scheduler", **{**SHORT, **changes})
    assert found == code and any(hint in said for hint in hints), said
    return said


def test_kafka__stranger_as_authority__certificate_is_not_taken(world):
    kafka_refuses(world, "certificate verify failed", EXPORT_KAFKA_SSL_CA_LOCATION=str(world.stranger.ca))


def test_kafka__without_authority__certificate_is_not_taken(world):
    kafka_refuses(world, "certificate verify failed", EXPORT_KAFKA_SSL_CA_LOCATION=None)


def test_kafka__expired_certificate__is_not_taken(world, impostors):
    kafka_refuses(world, "certificate has expired", "certificate verify failed", EXPORT_KAFKA_BOOTSTRAP_SERVERS=f"localhost:{impostors[0]}")


def test_kafka__certificate_of_another_host__is_not_taken(world, impostors):
    kafka_refuses(world, "hostname mismatch", "certificate verify failed", EXPORT_KAFKA_BOOTSTRAP_SERVERS=f"localhost:{impostors[1]}")


def test_kafka__wrong_password__says_so(world):
    kafka_refuses(world, "uthentication failed", EXPORT_KAFKA_SASL_PASSWORD="wrong-password")


def test_kafka__wrong_password__exportctl_says_so_before_its_time_is_over(world):
    code, said = world.run("exportctl", "topics", "check", EXPORT_STARTUP_TIMEOUT="1h", EXPORT_KAFKA_SASL_PASSWORD="wrong-password")
    assert code == 3 and "uthentication failed" in said and "refuse this client" in said, said


def test_kafka__plain_text_to_a_tls_port__no_answer(world):
    kafka_refuses(world, "isconnected", "answered within", EXPORT_KAFKA_SECURITY_PROTOCOL="PLAINTEXT")


def test_kafka__tls_without_password_where_one_is_asked__no_answer(world):
    kafka_refuses(world, "isconnected", "answered within", EXPORT_KAFKA_SECURITY_PROTOCOL="SSL")


def test_kafka__no_client_certificate_where_one_is_asked__says_so(world):
    kafka_refuses(world, "certificate required", "SSL", EXPORT_KAFKA_SECURITY_PROTOCOL="SSL",
                  EXPORT_KAFKA_BOOTSTRAP_SERVERS=f"localhost:{world.kafka.mtls_port}")


def test_kafka__client_certificate_of_a_stranger__says_so(world):
    certificate, key = world.stranger.issue("users-export-worker", hosts=())
    kafka_refuses(world, "unknown ca", "SSL", "isconnected", EXPORT_KAFKA_SECURITY_PROTOCOL="SSL",
                  EXPORT_KAFKA_BOOTSTRAP_SERVERS=f"localhost:{world.kafka.mtls_port}",
                  EXPORT_KAFKA_SSL_CERTIFICATE_LOCATION=str(certificate), EXPORT_KAFKA_SSL_KEY_LOCATION=str(key))


def database_refuses(world, *hints, **changes):
    code, said = world.run("export-scheduler", "--dry-run", **SHORT, EXPORT_POSTGRES_DSN=world.postgres.dsn(**changes))
    assert code in (1, 3) and any(hint in said for hint in hints), said


def test_database__stranger_as_authority__certificate_is_not_taken(world):
    database_refuses(world, "certificate", sslrootcert=world.stranger.ca)


def test_database__other_host_name__certificate_is_not_taken(world):
    certificate = world.authority.issue("postgres-elsewhere", hosts=("DNS:elsewhere.example",))
    with_certificate(world, certificate, lambda: database_refuses(world, "certificate", "host name"))


def test_database__expired_certificate__is_not_taken(world):
    certificate = world.authority.issue("postgres-expired", expired=True)
    with_certificate(world, certificate, lambda: database_refuses(world, "certificate"))


def with_certificate(world, certificate, action):
    nodes = (world.postgres.primary, world.postgres.replica)
    for node in nodes:
        node.install(*certificate, world.authority.ca)
        node.reload()
    try:
        action()
    finally:
        for node in nodes:
            node.install(*world.postgres.good, world.authority.ca)
            node.reload()


def test_database__no_client_certificate__is_refused(world):
    database_refuses(world, "authentication", "certificate", sslcert="/nonexistent", sslkey="/nonexistent")


def test_database__client_certificate_of_another_user__is_refused(world):
    certificate, key = world.authority.issue("somebody", hosts=())
    database_refuses(world, "authentication", "certificate", sslcert=certificate, sslkey=key)


def test_database__wrong_password__is_refused(world):
    database_refuses(world, "authentication", password="wrong-password")


def test_database__plain_text__is_refused(world):
    database_refuses(world, "authentication", "encryption", sslmode="disable")


def test_database__server_without_tls__never_in_plain_text(world):
    replica = world.postgres.replica
    replica.stop()
    replica.configure(ssl=False)
    # Without TLS on the server these lines of pg_hba.conf would let anybody in.
    hba = replica.data / "pg_hba.conf"
    hba.write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n", encoding="ascii")
    replica.start()
    try:
        code, said = world.run("export-scheduler", "--dry-run", **SHORT, EXPORT_POSTGRES_DSN=world.postgres.dsn([replica]))
        assert code in (1, 3) and "SSL" in said, said
    finally:
        replica.stop()
        replica.configure()
        replica.start()


def store_refuses(world, *hints, **changes):
    worker = world.worker(**SHORT, **changes)
    assert worker.stop_itself(60) == 3, worker.text()
    assert any(hint in worker.text() for hint in hints), worker.text()


def test_store__without_authority__certificate_is_not_taken(world):
    store_refuses(world, "certificate", "SSL", EXPORT_S3_CA_FILE=None)


def test_store__stranger_as_authority__certificate_is_not_taken(world):
    store_refuses(world, "certificate", "SSL", EXPORT_S3_CA_FILE=str(world.stranger.ca))


def test_store__expired_certificate__is_not_taken(world, impostors):
    store_refuses(world, "certificate", "SSL", EXPORT_S3_ENDPOINT=f"https://localhost:{impostors[0]}")


def test_store__certificate_of_another_host__is_not_taken(world, impostors):
    store_refuses(world, "certificate", "SSL", EXPORT_S3_ENDPOINT=f"https://localhost:{impostors[1]}")


def test_store__plain_text_to_a_tls_port__no_answer(world):
    store_refuses(world, "HTTP 400", "store-", EXPORT_S3_ENDPOINT=f"http://localhost:{world.s3.port}")


def test_store__wrong_key__says_so(world):
    store_refuses(world, "SignatureDoesNotMatch", "store-authentication", EXPORT_S3_SECRET_ACCESS_KEY="wrong-key")


def exports_with_redis(world, url):
    group_id = world.new_group(2)
    worker = world.worker(EXPORT_REDIS_URL=url)
    for _ in range(2):
        world.command(group_id)
    worker.wait_text(f'"outcome":"exported","group":"{group_id}"', count=2)
    assert worker.stop() == 0
    assert ("WRONGPASS is the answer to AUTH" in worker.text()) is ("wrong-password" in url)
    return group_id


def cached(world, port, group_id):
    import redis
    return redis.Redis(port=port, password=world.secret["redis"]).get(f"users-export:group:{group_id}")


def test_redis__password__is_used(world, redis_server):
    group_id = exports_with_redis(world, f"redis://:{world.secret['redis']}@127.0.0.1:{redis_server[0]}/0")
    assert cached(world, redis_server[0], group_id)


def test_redis__wrong_password__is_left_out(world, redis_server):
    group_id = exports_with_redis(world, f"redis://:wrong-password@127.0.0.1:{redis_server[0]}/0")
    assert not cached(world, redis_server[0], group_id)


def redis_url(world, port):
    """Skips where it cannot be used."""
    url = f"rediss://:{world.secret['redis']}@localhost:{port}/0"
    code, said = world.run("exportctl", "config", "check", EXPORT_REDIS_URL=url)
    if code == 2:
        assert "hiredis" in said and "TLS" in said, said
        pytest.skip("hiredis of this system has no TLS (Debian 13's has): rediss:// was refused with the reason")
    return url


@pytest.mark.parametrize("which", [0, 1], ids=["expired", "of another host"])
def test_redis__certificate__is_not_taken(world, impostors, which):
    """The cache is left out, and the log says why."""
    worker = world.worker(EXPORT_REDIS_URL=redis_url(world, impostors[which]), SSL_CERT_FILE=str(world.authority.ca))
    group_id = world.new_group(2)
    world.command(group_id)
    worker.wait_text(f'"outcome":"exported","group":"{group_id}"')
    assert worker.stop() == 0
    said = [line for line in worker.text().splitlines() if "Redis does not work" in line]
    assert len(said) == 1 and "certificate" in said[0], said


def test_redis__tls__used_or_refused_with_the_reason(world, redis_server):
    url = redis_url(world, redis_server[1])
    # OpenSSL's own variable: the programs take the system's authorities.
    group_id = world.new_group(2)
    for authority, there in ((world.stranger.ca, False), (world.authority.ca, True)):
        worker = world.worker(EXPORT_REDIS_URL=url, SSL_CERT_FILE=str(authority))
        world.command(group_id)
        worker.wait_text(f'"outcome":"exported","group":"{group_id}"')
        assert worker.stop() == 0
        assert bool(cached(world, redis_server[0], group_id)) is there
