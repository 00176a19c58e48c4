// SPDX-License-Identifier: Apache-2.0
package sample;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** Reads the run topic: one partition, compacted, all of it at each start. The newest record of a run counts. */
final class Runs implements AutoCloseable {
    /** What is needed of a run record. */
    record Run(
            String runId, String status, long groups, long exported, long skipped, long deadLettered, long unfinished,
            long rows, String endedAt) {}

    private static final ObjectMapper JSON = JsonMapper.builder().build();
    private final KafkaConsumer<byte[], byte[]> consumer;

    Runs(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        this.consumer = consumer;
        TopicPartition partition = new TopicPartition(topic, 0);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
    }

    /** What came since the last call, in order. */
    List<Run> poll() throws IOException {
        List<Run> news = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ZERO)) {
            if (record.value() != null) {
                news.add(read(record.value()));
            }
        }
        return news;
    }

    private static Run read(byte[] value) throws IOException {
        JsonNode run = JSON.readTree(value);
        if (run.path("version").asInt() != 1) {
            throw new IOException("a run record of version " + run.path("version"));
        }
        return new Run(
                run.path("runId").asText(), run.path("status").asText(), run.path("groups").asLong(),
                run.path("exported").asLong(), run.path("skipped").asLong(), run.path("deadLettered").asLong(),
                run.path("unfinished").asLong(), run.path("rows").asLong(), run.path("endedAt").asText());
    }

    @Override
    public void close() {
        consumer.close();
    }
}
