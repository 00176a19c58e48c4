# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: a private Kafka of one node (KRaft: broker and controller in one process).

# Prints the JVM's command line, one word a line. A JVM that runs for seconds starts faster with the C1 compiler only.
kafka_java() {
    printf '%s\n' java -Xms128m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
        -Djava.awt.headless=true "-Dlog4j2.configurationFile=$RUN/kafka/log4j2.properties" -cp "$UEX_KAFKA_LIBS/*"
}

# Transactions on one broker need one replica. Groups should rebalance at once. An open transaction of a killed process
# should be aborted soon after its timeout. Small internal topics are created quickly. The next start waits for the session
# of a killed broker, so that is short. All clients may do everything, except where a test removes a right (ACLs).
kafka_create() {
    mkdir -p "$RUN/kafka/data"
    cat >"$RUN/kafka/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${PORT[kafka_controller]}
listeners=PLAINTEXT://127.0.0.1:${PORT[kafka]},CONTROLLER://127.0.0.1:${PORT[kafka_controller]}
advertised.listeners=PLAINTEXT://127.0.0.1:${PORT[kafka]}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$RUN/kafka/data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
log.segment.delete.delay.ms=1000
num.network.threads=2
num.io.threads=4
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
CONF
    cat >"$RUN/kafka/log4j2.properties" <<'CONF'
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
CONF
    local cluster java
    mapfile -t java < <(kafka_java)
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | cut -c1-22)
    "${java[@]}" kafka.tools.StorageTool format --cluster-id "$cluster" --config "$RUN/kafka/server.properties" \
        >>"$RUN/kafka.log" 2>&1 </dev/null
    touch "$RUN/kafka/created"
}

kafka_start() {
    [ -e "$RUN/kafka/created" ] || kafka_create
    local java
    mapfile -t java < <(kafka_java)
    server_launch kafka "${java[@]}" kafka.Kafka "$RUN/kafka/server.properties"
    server_wait kafka 90 kcat -b "127.0.0.1:${PORT[kafka]}" -L -m 2
}

kafka_stop() { server_stop kafka TERM 20; }

kafka_remove() { rm -rf "$RUN/kafka"; }

kafka_env() { printf "EXPORT_KAFKA_BOOTSTRAP_SERVERS='127.0.0.1:%s'\n" "${PORT[kafka]}"; }
