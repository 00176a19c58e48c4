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
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * A member of a consumer group that does each result once and says when a night is complete. It may be killed at any time.
 * What it has done stands in a ledger, which is saved before the group's offsets are committed. The offset of a partition is
 * not committed beyond the first part of a list that is not whole, so that a restart reads all of its parts.
 *
 * <p>It is one process with one ledger. Several processes of a group would need a ledger that they share, in a database. It
 * knows neither TLS nor SASL: add the settings of your cluster in Main.kafka.
 */
public final class Night implements ConsumerRebalanceListener, AutoCloseable {
    private static final String USAGE = """
            Usage: schemas/sample-java/run [--into DIR] [--run ID] [--group GROUP]
            Reads results as a member of a consumer group (flairbit), checks each against its object, prints one JSON line for
            each, and one for each run (night) of which everything was read. DIR (./flairbit-reader) is the folder of its
            ledger, the same one at each start. With --run it ends when that run is complete, else it stays. Settings are
            those of the exporter's environment: EXPORT_KAFKA_BOOTSTRAP_SERVERS, EXPORT_TOPICS_RESULT, EXPORT_TOPICS_RUN,
            EXPORT_S3_ENDPOINT, EXPORT_S3_REGION, EXPORT_S3_ACCESS_KEY_ID, EXPORT_S3_SECRET_ACCESS_KEY.
            Exit code 1: a result is not as it has to be, or its object cannot be had; the error says which one. It may be
            killed and started again at any time.
            """;

    /** JSON is UTF-8, whatever the locale says. */
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final ObjectMapper JSON = JsonMapper.builder().build();

    /** A run that is completed, and where the result topic ended when that was read. */
    private record Waiting(Runs.Run run, Map<TopicPartition, Long> ends) {}

    private final String topic = Main.setting("EXPORT_TOPICS_RESULT", "flairbit-users");
    private final String wanted; // null: all runs
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Admin admin = Admin.create(new HashMap<>(Main.kafka()));
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
        boolean isUsage = arguments.length % 2 != 0 || !Set.of("--into", "--run", "--group").containsAll(options.keySet());
        if (isUsage) {
            System.out.print(USAGE);
            System.exit(arguments.length == 1 && arguments[0].equals("--help") ? 0 : 2);
        }
        try (Night night = new Night(
                Path.of(options.getOrDefault("--into", "flairbit-reader")), options.get("--run"),
                options.getOrDefault("--group", "flairbit"))) {
            night.read();
        } catch (IOException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(1);
        }
    }

    /** Until the run that was asked for is complete; without one for ever. */
    private void read() throws IOException {
        consumer.subscribe(List.of(topic), this);
        while (true) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                try {
                    take(record);
                } catch (IOException | RuntimeException e) { // of an unreachable store too: the next start tries again
                    String place = "partition " + record.partition() + " offset " + record.offset();
                    throw new IOException(place + ": " + e.getMessage(), e);
                }
            }
            commit();
            for (Runs.Run run : runs.poll()) {
                hear(run);
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

    /** Not beyond a list that has begun. After an error nothing is committed: the next start reads it again. */
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

    private void hear(Runs.Run run) throws IOException {
        boolean isWanted = run.runId().equals(wanted);
        waiting.remove(run.runId());
        if (run.status().equals("completed") && (isWanted || !ledger.hasRun(run.runId(), run.endedAt()))) {
            waiting.put(run.runId(), new Waiting(run, ends()));
            System.err.println("run " + run.runId() + " is completed; reading up to its end");
        } else if (run.status().equals("incomplete") && isWanted) {
            System.err.println("run " + wanted + " is incomplete: " + run.unfinished() + " groups have not ended; waiting");
        }
    }

    /** Where the partitions end now, open transactions included: behind one, results of the run may be hidden still. */
    private Map<TopicPartition, Long> ends() throws IOException {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        consumer.partitionsFor(topic).forEach(
                info -> asked.put(new TopicPartition(topic, info.partition()), OffsetSpec.latest()));
        Map<TopicPartition, Long> ends = new HashMap<>();
        try {
            admin.listOffsets(asked).all().get().forEach((partition, found) -> ends.put(partition, found.offset()));
        } catch (InterruptedException | ExecutionException e) {
            throw new IOException("cannot ask for the ends of " + topic + ": " + e.getMessage(), e);
        }
        return ends;
    }

    /** Runs of which everything was read: all results of a run are committed before its end is. True: the wanted one. */
    private boolean report() throws IOException {
        for (Iterator<Waiting> each = waiting.values().iterator(); each.hasNext();) {
            Waiting next = each.next();
            Runs.Run run = next.run();
            boolean isWanted = run.runId().equals(wanted);
            if (!isRead(next.ends())) {
                continue;
            }
            each.remove();
            if (ledger.exported(run.runId()) >= run.exported()) {
                if (wanted == null || isWanted) {
                    night(run);
                }
                if (isWanted) {
                    return true;
                }
                continue;
            }
            note(run, false); // so it is said once
            String missing = "run " + run.runId() + ": " + ledger.exported(run.runId()) + " of " + run.exported()
                    + " results are there; the others are older than the topic's retention, or than this group";
            if (isWanted) {
                throw new IOException(missing);
            }
            System.err.println(missing);
        }
        return false;
    }

    private boolean isRead(Map<TopicPartition, Long> ends) {
        return consumer.assignment().containsAll(ends.keySet())
                && ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    /** Here begins what needs the whole night. It is noted afterwards: killed in between, it begins a second time. */
    private void night(Runs.Run run) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("run", run.runId());
        line.put("groups", run.groups());
        line.put("exported", run.exported());
        line.put("skipped", run.skipped());
        line.put("deadLettered", run.deadLettered());
        line.put("rows", run.rows());
        OUT.println(JSON.writeValueAsString(line));
        note(run, true);
    }

    private void note(Runs.Run run, boolean isComplete) throws IOException {
        ledger.add(Map.of("run", run.runId(), "endedAt", run.endedAt(), "complete", isComplete));
        ledger.save();
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

    /** Another member goes on with these, from what is committed. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(partition -> announcements.forget(partition.partition()));
    }

    @Override
    public void close() throws IOException {
        consumer.close();
        runs.close();
        admin.close();
        s3.close();
        ledger.close();
    }
}
