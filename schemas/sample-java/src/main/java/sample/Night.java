// SPDX-License-Identifier: Apache-2.0
package sample;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * A member of a consumer group that does each result once and says when a night is complete. It may be killed at any time.
 * The offset of a partition is not committed beyond the first part of a list that is not whole, so that a restart reads all
 * of its parts.
 */
public final class Night implements ConsumerRebalanceListener, AutoCloseable {
    private static final String USAGE = """
            Usage: schemas/sample-java/run --into DIR [--run ID] [--group GROUP]
            Reads results as a member of a consumer group (flairbit), checks each against its object, prints one JSON line for
            each, and one for each run (night) of which everything was read. DIR is the folder of its ledger, the same one at
            each start. With --run it ends when that run is complete, else it stays. Settings are those of the exporter's
            environment: EXPORT_KAFKA_BOOTSTRAP_SERVERS, EXPORT_TOPICS_RESULT, EXPORT_TOPICS_RUN, EXPORT_S3_ENDPOINT,
            EXPORT_S3_REGION, EXPORT_S3_ACCESS_KEY_ID, EXPORT_S3_SECRET_ACCESS_KEY.
            Exit code 1: a result is not as it has to be; the error says which one.
            """;

    /** JSON is UTF-8, whatever the locale says. */
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final ObjectMapper JSON = JsonMapper.builder().build();

    /** A run that is complete, and where the result topic ended when that was read. */
    private record Waiting(Runs.Run run, Map<TopicPartition, Long> ends) {}

    private final String topic = Main.setting("EXPORT_TOPICS_RESULT", "flairbit-users");
    private final String wanted; // null: all runs
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Runs runs;
    private final S3Client s3 = Main.s3();
    private final Ledger ledger;
    private final Announcements announcements = new Announcements();
    private final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
    private final Map<String, Waiting> waiting = new LinkedHashMap<>();
    private final Set<Integer> seen = new HashSet<>(); // partitions of which a whole result was read

    private Night(Path folder, String wanted, String group) throws IOException {
        this.wanted = wanted;
        ledger = new Ledger(folder);
        consumer = Main.consumer(group);
        runs = new Runs(Main.consumer(null), Main.setting("EXPORT_TOPICS_RUN", "export-group-run"));
    }

    public static void main(String[] arguments) throws IOException {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        boolean isUsage = arguments.length % 2 != 0 || !options.containsKey("--into")
                || !Set.of("--into", "--run", "--group").containsAll(options.keySet());
        if (isUsage) {
            System.out.print(USAGE);
            System.exit(arguments.length == 1 && arguments[0].equals("--help") ? 0 : 2);
        }
        try (Night night = new Night(
                Path.of(options.get("--into")), options.get("--run"), options.getOrDefault("--group", "flairbit"))) {
            night.read();
        }
    }

    /** Until the run that was asked for is complete; without one for ever. */
    private void read() throws IOException {
        consumer.subscribe(List.of(topic), this);
        while (true) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                try {
                    take(record);
                } catch (IOException e) {
                    throw new IOException("partition " + record.partition() + " offset " + record.offset() + ": " + e.getMessage(), e);
                }
            }
            commit();
            for (Runs.Run run : runs.poll()) {
                note(run);
            }
            if (report()) {
                return;
            }
        }
    }

    private void take(ConsumerRecord<byte[], byte[]> record) throws IOException {
        try {
            Optional<Announcements.Announcement> whole = announcements.add(record);
            if (whole.isPresent()) {
                done(whole.get(), record);
                seen.add(record.partition());
            }
        } catch (Announcements.BeginningIsMissing e) {
            if (seen.contains(record.partition())) {
                throw e;
            }
            // Its first parts are older than the topic's retention.
        }
        next.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
    }

    private void done(Announcements.Announcement announced, ConsumerRecord<byte[], byte[]> record) throws IOException {
        if (ledger.has(announced.commandId())) {
            return;
        }
        Map<String, Object> line = Main.check(announced, record, s3);
        line.put("outcome", announced.reason() == null ? "exported" : "skipped");
        // Here the group's users are replaced by those of the file or the list; an empty list drops them.
        ledger.add(line);
        OUT.println(JSON.writeValueAsString(line));
    }

    /** Not beyond a list that has begun. */
    private void commit() throws IOException {
        if (next.isEmpty()) {
            return;
        }
        next.replaceAll((partition, after) ->
                announcements.firstOffset(partition.partition()).map(OffsetAndMetadata::new).orElse(after));
        ledger.save();
        consumer.commitSync(next);
        next.clear();
    }

    private void note(Runs.Run run) {
        boolean isWanted = run.runId().equals(wanted);
        waiting.remove(run.runId());
        if (run.status().equals("completed") && (isWanted || !ledger.hasRun(run.runId(), run.endedAt()))) {
            List<TopicPartition> all = consumer.partitionsFor(topic).stream()
                    .map(info -> new TopicPartition(topic, info.partition()))
                    .toList();
            waiting.put(run.runId(), new Waiting(run, consumer.endOffsets(all)));
        } else if (run.status().equals("incomplete") && isWanted) {
            System.err.println("run " + wanted + " is incomplete: " + run.unfinished() + " groups have not ended; waiting");
        }
    }

    /** Runs of which everything was read: all results of a run are committed before its end is. True: the wanted one. */
    private boolean report() throws IOException {
        for (Iterator<Waiting> each = waiting.values().iterator(); each.hasNext();) {
            Waiting next = each.next();
            Runs.Run run = next.run();
            boolean isWanted = run.runId().equals(wanted);
            if (ledger.exported(run.runId()) >= run.exported()) {
                each.remove();
                if (wanted == null || isWanted) {
                    night(run);
                }
                if (isWanted) {
                    return true;
                }
            } else if (isRead(next.ends())) {
                each.remove();
                String missing = "run " + run.runId() + ": " + ledger.exported(run.runId()) + " of " + run.exported()
                        + " results are there; the others are older than the topic's retention, or than this group";
                if (isWanted) {
                    throw new IOException(missing);
                }
                System.err.println(missing);
            }
        }
        return false;
    }

    private boolean isRead(Map<TopicPartition, Long> ends) {
        return consumer.assignment().containsAll(ends.keySet())
                && ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    /** Here begins what needs the whole night. */
    private void night(Runs.Run run) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("run", run.runId());
        line.put("groups", run.groups());
        line.put("exported", run.exported());
        line.put("skipped", run.skipped());
        line.put("deadLettered", run.deadLettered());
        line.put("rows", run.rows());
        OUT.println(JSON.writeValueAsString(line));
        ledger.add(Map.of("run", run.runId(), "endedAt", run.endedAt()));
        ledger.save();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

    /** Another member goes on with these, from what is committed. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        try {
            commit();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        onPartitionsLost(partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        next.clear();
        partitions.forEach(partition -> announcements.forget(partition.partition()));
    }

    @Override
    public void close() throws IOException {
        consumer.close();
        runs.close();
        s3.close();
        ledger.close();
    }
}
