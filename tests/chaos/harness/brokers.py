# SPDX-License-Identifier: Apache-2.0
"""One Kafka broker, or three with three replicas: each worker has a listener of its own on each, behind its own link, and
the brokers follow each other behind links too."""
import base64
import os
import random
import signal
import socket
import subprocess
import time

from confluent_kafka.admin import AdminClient

from . import ROOT

_LOG4J = """rootLogger.level=INFO
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
"""

# What is slow in production and would only make a cycle longer here: elections, sessions, the ends of transactions whose
# producer died.
_CONFIG = """process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={map}
controller.listener.names=CONTROLLER
inter.broker.listener.name=REPLICATION
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=3
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=3
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
replica.lag.time.max.ms=3000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
leader.imbalance.check.interval.seconds=5
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""


def free_port(taken):
    """Below the range that the kernel gives to outgoing connections: a broker that is down finds its port again."""
    while True:
        port = random.SystemRandom().randrange(30000, 32760)
        if port in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.add(port)
        return port


def kafka_libraries():
    script = '. deploy/lib/common.sh && . deploy/lib/fetch.sh && printf "%s" "$UEX_KAFKA_LIBS"'
    return subprocess.run(["bash", "-c", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout


class Broker:
    def __init__(self, number, folder, ports):
        self.number, self.folder, self.ports = number, folder, ports
        self.process = None
        folder.mkdir(parents=True)

    @property
    def java(self):
        return ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties", "-cp", f"{kafka_libraries()}/*"]

    def configure(self, voters, workers, count, cluster_id):
        listeners = [("CONTROLLER", self.ports["controller"], None), ("PLAIN", self.ports["plain"], self.ports["plain"]),
                     ("REPLICATION", self.ports["replication"], self.ports["replication-link"])]
        listeners += [(f"W{n}", self.ports[f"w{n}"], self.ports[f"w{n}-link"]) for n in workers]
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        (self.folder / "server.properties").write_text(_CONFIG.format(
            id=self.number, voters=voters, data=self.folder / "data", replicas=count, in_sync=2 if count > 2 else 1,
            listeners=",".join(f"{name}://127.0.0.1:{port}" for name, port, _ in listeners),
            advertised=",".join(f"{name}://127.0.0.1:{link}" for name, _, link in listeners if link),
            map=",".join(f"{name}:PLAINTEXT" for name, _, _ in listeners)))
        with open(self.folder / "broker.log", "ab") as log:
            subprocess.run([*self.java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config",
                            str(self.folder / "server.properties")], check=True, stdout=log, stderr=log, timeout=120)

    def start(self):
        if self.process and self.process.poll() is None:
            return
        with open(self.folder / "broker.log", "ab") as log:
            self.process = subprocess.Popen([*self.java, "kafka.Kafka", str(self.folder / "server.properties")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def kill(self):
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def shut_down(self, timeout=15):
        """Controlled: leaders move first."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()


class Brokers:
    def __init__(self, count, folder, workers, proxy, taken):
        self.count = count
        self.all = []
        for number in range(1, count + 1):
            names = ["controller", "plain", "replication", "replication-link"]
            names += [f"w{n}{end}" for n in workers for end in ("", "-link")]
            self.all.append(Broker(number, folder / f"broker-{number}", {name: free_port(taken) for name in names}))
        cluster_id = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")
        voters = ",".join(f"{b.number}@127.0.0.1:{b.ports['controller']}" for b in self.all)
        for broker in self.all:
            broker.configure(voters, workers, count, cluster_id)
            proxy.open(f"broker{broker.number}-replication", "tcp", broker.ports["replication-link"],
                       broker.ports["replication"])
            for n in workers:
                proxy.open(f"w{n}-kafka{broker.number}", "kafka", broker.ports[f"w{n}-link"], broker.ports[f"w{n}"])
        for broker in self.all:
            broker.start()
        self.cluster_id = cluster_id

    @property
    def bootstrap(self):
        """For the harness itself: no link between."""
        return ",".join(f"127.0.0.1:{b.ports['plain']}" for b in self.all)

    def bootstrap_of(self, worker):
        return ",".join(f"127.0.0.1:{b.ports[f'w{worker}-link']}" for b in self.all)

    def wait_ready(self, timeout=90):
        deadline = time.monotonic() + timeout
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while True:
            try:
                if len(admin.list_topics(timeout=2).brokers) == self.count:
                    return
            except Exception:  # not there yet
                pass
            dead = [b for b in self.all if b.process.poll() is not None]
            assert not dead, f"a broker ended: {dead[0].folder}/broker.log"
            assert time.monotonic() < deadline, "Kafka was not ready in time"
            time.sleep(0.2)

    def heal(self):
        for broker in self.all:
            broker.start()

    def close(self):
        for broker in self.all:
            broker.kill()
