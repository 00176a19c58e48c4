# SPDX-License-Identifier: Apache-2.0
"""Everything over TLS, with the rights that are shipped and no others."""


def test_night__scram_and_client_certificates__every_kind_of_outcome(world):
    cost, names, slow = world.new_group(5), world.new_group(4, "NON_COST_BASED"), world.new_group(300, kind="slow")
    code, said = world.run("export-scheduler")
    assert code == 0, said
    worker = world.worker()
    for group_id in (cost, names, slow):
        worker.wait_text(f'"group":"{group_id}"')
    assert len(world.results(cost)) == len(world.results(names)) == len(world.results(slow)) == 1
    assert any(f"/{slow}/" in key for key in world.s3.objects())
    # A move, a dead letter at once, and a retry that is one tier further.
    world.kafka.send("export-group", b"moved", b"{}", 0)
    world.kafka.send("export-group", b"moved", b"{}", 1)
    world.kafka.send("export-group", b"broken", b"no JSON")
    worker.wait_text('"outcome":"rerouted"')
    worker.wait_text('"outcome":"dead-lettered"')
    assert worker.stop() == 0
    assert "uthorization" not in worker.text(), worker.text()
    assert world.kafka.read("export-group-progress"), "nothing was said of the slow group's progress"


def test_night__kafka_by_client_certificate__exports(world):
    certificate, key = world.authority.issue("users-export-worker", hosts=())
    mtls = {"EXPORT_KAFKA_BOOTSTRAP_SERVERS": f"localhost:{world.kafka.mtls_port}", "EXPORT_KAFKA_SECURITY_PROTOCOL": "SSL",
            "EXPORT_KAFKA_SASL_MECHANISM": None, "EXPORT_KAFKA_SASL_USERNAME": None, "EXPORT_KAFKA_SASL_PASSWORD": None,
            "EXPORT_KAFKA_SSL_CERTIFICATE_LOCATION": str(certificate), "EXPORT_KAFKA_SSL_KEY_LOCATION": str(key)}
    group_id = world.new_group()
    worker = world.worker(**mtls)
    world.command(group_id)
    worker.wait_text(f'"group":"{group_id}"')
    assert worker.stop() == 0
    assert len(world.results(group_id)) == 1


def test_night__replica_preferred__rows_come_from_it_and_from_the_primary_when_it_is_gone(world):
    replica = world.postgres.replica
    group_id = world.new_group()
    worker = world.worker()
    world.command(group_id)
    worker.wait_text(f'"group":"{group_id}"')
    assert group_id in replica.server.text() and "COPY" in replica.server.text()
    assert f"{group_id}" not in "".join(line for line in world.postgres.primary.server.text().splitlines() if "COPY" in line)
    replica.stop()
    try:
        second = world.new_group()
        world.command(second)
        worker.wait_text(f'"group":"{second}"')
        assert any(second in line for line in world.postgres.primary.server.text().splitlines() if "COPY" in line)
    finally:
        replica.start()
    assert worker.stop() == 0
