# SPDX-License-Identifier: Apache-2.0
"""A broker with TLS on every listener that a client can reach, SCRAM on one, client certificates on the other, and rights.

Topics and rights are those of deploy/kustomize/components/strimzi: what is shipped is what is tested.
"""
import base64
import ctypes
import os
import subprocess

import yaml
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType,
                                   ResourceType)

from .processes import CACHE, ROOT, Server, free_port, listens, wait_for



def broker_version():
    """librdkafka before 2.6.1 cannot do SCRAM with Kafka 4 (it repeats the nonce, which Kafka 4 refuses): there 3.9 is asked."""
    library = ctypes.CDLL("librdkafka.so.1")
    return "4.1.1" if library.rd_kafka_version() >= 0x020601FF else "3.9.1"


STRIMZI = ROOT / "deploy/kustomize/components/strimzi"
KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactionalId": ResourceType.TRANSACTIONAL_ID,
         "cluster": ResourceType.BROKER}
PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=SCRAM://127.0.0.1:{scram},MTLS://127.0.0.1:{mtls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SCRAM://localhost:{scram},MTLS://localhost:{mtls}
listener.security.protocol.map=SCRAM:SASL_SSL,MTLS:SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=MTLS
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={pem}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.mtls.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:broker;User:admin
allow.everyone.if.no.acl.found=false
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
"""
LOG4J = """
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
"""


def documents(name):
    with open(STRIMZI / name, encoding="utf-8") as file:
        return [found for found in yaml.safe_load_all(file) if found]


class Kafka:
    def __init__(self, folder, authority, passwords):
        self.folder, self.authority, self.passwords = folder, authority, passwords
        self.scram_port, self.mtls_port, controller = free_port(), free_port(), free_port()
        folder.mkdir()
        properties = folder / "server.properties"
        properties.write_text(PROPERTIES.format(scram=self.scram_port, mtls=self.mtls_port, controller=controller, data=folder / "data",
                                                pem=authority.bundle("broker"), ca=authority.ca), encoding="ascii")
        log4j = folder / "log4j2.properties"
        log4j.write_text(LOG4J, encoding="ascii")
        java = ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={log4j}",
                "-cp", f"{CACHE}/kafka-{broker_version()}/*"]
        cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A").replace("_", "B")
        subprocess.run([*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(properties),
                        *(f"--add-scram=SCRAM-SHA-512=[name={user},password={password}]" for user, password in passwords.items())],
                       check=True, capture_output=True, timeout=120)
        self.server = Server("kafka", [*java, "kafka.Kafka", properties], folder / "kafka.log")
        certificate, key = authority.issue("admin", hosts=())
        self.admin_conf = {"bootstrap.servers": f"localhost:{self.mtls_port}", "security.protocol": "SSL", "log_level": 0,
                           "ssl.ca.location": str(authority.ca), "ssl.certificate.location": str(certificate), "ssl.key.location": str(key)}

    def start(self):
        self.server.start(lambda: listens(self.mtls_port) and listens(self.scram_port))
        self.admin = AdminClient(self.admin_conf)
        wait_for(self._answers, "the broker's answer")
        self._make_topics()
        for user in documents("users.yaml"):
            self.grant(user)
        return self

    def stop(self):
        self.server.stop()

    def _answers(self):
        try:
            return self.admin.list_topics(timeout=5).brokers
        except KafkaException:
            return False

    def _make_topics(self):
        topics = []
        for found in documents("topics.yaml"):
            config = {**{k: str(v) for k, v in found["spec"]["config"].items()}, "min.insync.replicas": "1"}
            topics.append(NewTopic(found["spec"]["topicName"], 3, 1, config=config))
        for future in self.admin.create_topics(topics).values():
            future.result(timeout=30)

    # -- rights -----------------------------------------------------------------------------------------------------
    @staticmethod
    def rights(name):
        """(type, pattern, name, operation) of a user that is shipped."""
        user = next(found for found in documents("users.yaml") if found["metadata"]["name"] == name)
        return [(acl["resource"]["type"], acl["resource"]["patternType"], acl["resource"]["name"], operation)
                for acl in user["spec"]["authorization"]["acls"] for operation in acl["operations"]]

    def grant(self, user):
        for right in self.rights(user["metadata"]["name"]):
            self.allow(user["metadata"]["name"], right)

    @staticmethod
    def _binding(kind, user, right):
        type_, pattern, name, operation = right
        return kind(KINDS[type_], name, PATTERNS[pattern], f"User:{user}", "*",
                    getattr(AclOperation, {"DescribeConfigs": "DESCRIBE_CONFIGS"}.get(operation, operation.upper())), AclPermissionType.ALLOW)

    def allow(self, user, right):
        for future in self.admin.create_acls([self._binding(AclBinding, user, right)]).values():
            future.result(timeout=30)
        self._settle_right(user, right, True)

    def forbid(self, user, right):
        for future in self.admin.delete_acls([self._binding(AclBindingFilter, user, right)]).values():
            assert len(future.result(timeout=30)) == 1, right
        self._settle_right(user, right, False)

    def _settle_right(self, user, right, there):
        """What the controller has answered the broker sees a moment later."""
        wait_for(lambda: bool(self.admin.describe_acls(self._binding(AclBindingFilter, user, right)).result(timeout=30)) is there,
                 f"the broker's view of {right}", 30)

    # -- records ----------------------------------------------------------------------------------------------------
    def send(self, topic, key, value, partition=None):
        producer = Producer({**self.admin_conf, "partitioner": "murmur2_random"})
        producer.produce(topic, key=key, value=value, **({} if partition is None else {"partition": partition}))
        assert producer.flush(30) == 0

    def partition_of(self, key):
        """Where the key belongs (murmur2, as Java clients have it): asked by sending a command that exports nothing."""
        reports = []
        producer = Producer({**self.admin_conf, "partitioner": "murmur2_random"})
        producer.produce("flairbit-users", key=key.encode(), value=b"{}", on_delivery=lambda error, message: reports.append(message))
        assert producer.flush(30) == 0
        return reports[0].partition()

    def read(self, topic):
        """All records that a read_committed reader sees now."""
        reader = Consumer({**self.admin_conf, "group.id": "independent", "enable.partition.eof": True, "enable.auto.commit": False,
                           "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
        partitions = reader.list_topics(topic, timeout=20).topics[topic].partitions
        reader.assign([TopicPartition(topic, number, 0) for number in partitions])
        records, ended = [], set()
        while len(ended) < len(partitions):
            message = reader.poll(20)
            assert message is not None, f"{topic} cannot be read to its end"
            if message.error() is None:
                records.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
        reader.close()
        return records
