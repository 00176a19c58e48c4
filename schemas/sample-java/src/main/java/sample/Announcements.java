// SPDX-License-Identifier: Apache-2.0
package sample;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Puts the parts of a result together. They are in one transaction and one partition, so they come in order; with another
 * result in between where two transactions are close together, never with one missing.
 */
public final class Announcements {
    /** One result; `usernames` are those of all parts, null for a file. `reason`: why it is empty, else null. */
    public record Announcement(
            GroupResult first, String commandId, String runId, long rowCount, String sha256, long byteCount, int parts,
            List<String> usernames, String reason) {}

    /** A part comes, and no list has begun. */
    public static final class BeginningIsMissing extends IOException {
        private static final long serialVersionUID = 1;

        BeginningIsMissing(String message) {
            super(message);
        }
    }

    /** A list of which not all parts have come. */
    private record Open(int partition, long firstOffset, List<GroupResult> parts) {}

    private final Map<String, Open> open = new HashMap<>();

    /** The announcement that this record completes. */
    public Optional<Announcement> add(ConsumerRecord<byte[], byte[]> record) throws IOException {
        GroupResult result = GroupResult.read(record.value());
        if (!result.groupId().equals(new String(record.key(), StandardCharsets.UTF_8))) {
            throw new IOException("the key is not the groupId");
        }
        String commandId = header(record, "export-command-id");
        int part = Integer.parseInt(header(record, "export-part"));
        int count = Integer.parseInt(header(record, "export-part-count"));
        // The same command may be announced again after a loss of the consumers' positions; it starts with part 1 again.
        String name = record.partition() + "/" + result.groupId() + "/" + commandId;
        Open list = part == 1 ? new Open(record.partition(), record.offset(), new ArrayList<>()) : open.remove(name);
        if (list == null) {
            throw new BeginningIsMissing("part " + part + " of " + count + " comes without those before it");
        }
        if (list.parts().size() != part - 1) {
            throw new IOException("part " + part + " of " + count + " follows part " + list.parts().size());
        }
        list.parts().add(result);
        if (part < count) {
            open.put(name, list);
            return Optional.empty();
        }
        open.remove(name);
        return Optional.of(complete(record, list.parts(), commandId));
    }

    /** Where the oldest list of a partition begins of which not all parts have come. */
    public Optional<Long> firstOffset(int partition) {
        return open.values().stream().filter(list -> list.partition() == partition).map(Open::firstOffset).min(Long::compare);
    }

    /** Another reader has the partition now. */
    public void forget(int partition) {
        open.values().removeIf(list -> list.partition() == partition);
    }

    /** Results of which a part is missing: none, once a topic was read up to the end of a transaction. */
    public int unfinished() {
        return open.size();
    }

    private static Announcement complete(ConsumerRecord<byte[], byte[]> record, List<GroupResult> parts, String commandId)
            throws IOException {
        GroupResult first = parts.get(0);
        boolean file = first.filePath() != null;
        List<String> usernames = file ? null : parts.stream().flatMap(part -> part.usernames().stream()).toList();
        long rows = Long.parseLong(header(record, "export-row-count"));
        if (!file && usernames.size() != rows) {
            throw new IOException(usernames.size() + " usernames, announced were " + rows);
        }
        return new Announcement(
                first, commandId, header(record, "export-run-id"), rows, file ? header(record, "export-sha256") : null,
                file ? Long.parseLong(header(record, "export-byte-count")) : 0, parts.size(), usernames,
                record.headers().lastHeader("export-reason") == null ? null : header(record, "export-reason"));
    }

    private static String header(ConsumerRecord<byte[], byte[]> record, String name) throws IOException {
        Header header = record.headers().lastHeader(name);
        if (header == null) {
            throw new IOException("the header " + name + " is missing");
        }
        return new String(header.value(), StandardCharsets.UTF_8);
    }
}
