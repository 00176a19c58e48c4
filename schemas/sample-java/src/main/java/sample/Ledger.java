// SPDX-License-Identifier: Apache-2.0
package sample;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * What was done: one line for each result, and for each run that has ended. Here it is a file; a service has it in its
 * database, in one transaction with the data. It is saved before offsets are committed, so a result that is read twice is
 * done once.
 */
final class Ledger implements AutoCloseable {
    private static final ObjectMapper JSON = JsonMapper.builder().build();
    private final RandomAccessFile file;
    private final Set<String> commands = new HashSet<>();
    private final Map<String, Set<String>> groups = new HashMap<>();
    private final Map<String, String> runs = new HashMap<>();

    Ledger(Path folder) throws IOException {
        Files.createDirectories(folder);
        Path path = folder.resolve("ledger.jsonl");
        byte[] text = Files.exists(path) ? Files.readAllBytes(path) : new byte[0];
        int end = text.length;
        while (end > 0 && text[end - 1] != '\n') {
            end--; // a line without its end: this process was killed while it wrote
        }
        for (String line : new String(text, 0, end, StandardCharsets.UTF_8).lines().toList()) {
            note(JSON.readTree(line));
        }
        file = new RandomAccessFile(path.toFile(), "rw");
        file.setLength(end);
        file.seek(end);
    }

    private void note(JsonNode entry) {
        if (entry.has("run")) {
            runs.put(entry.get("run").asText(), entry.get("endedAt").asText());
            return;
        }
        commands.add(entry.get("commandId").asText());
        if (entry.get("outcome").asText().equals("exported")) {
            groups.computeIfAbsent(entry.get("runId").asText(), run -> new HashSet<>()).add(entry.get("groupId").asText());
        }
    }

    boolean has(String commandId) {
        return commands.contains(commandId);
    }

    /** How many groups of a run were exported. */
    int exported(String runId) {
        return groups.getOrDefault(runId, Set.of()).size();
    }

    /** This end of this run is in the ledger. */
    boolean hasRun(String runId, String endedAt) {
        return endedAt.equals(runs.get(runId));
    }

    void add(Map<String, Object> entry) throws IOException {
        file.write((JSON.writeValueAsString(entry) + "\n").getBytes(StandardCharsets.UTF_8));
        note(JSON.valueToTree(entry));
    }

    void save() throws IOException {
        file.getFD().sync();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
