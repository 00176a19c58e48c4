// SPDX-License-Identifier: Apache-2.0
package sample;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * Reads all results there are, checks each against its object, and prints one JSON line for each announcement. A look at the
 * topic, without a consumer group; a consumer is sample.Night.
 */
public final class Main {
    private static final String USAGE = """
            Usage: java -cp 'flairbit-reader.jar:lib/*' sample.Main
            Reads the topic from its beginning to its end of now. Settings are those of the exporter's environment:
            EXPORT_KAFKA_BOOTSTRAP_SERVERS, EXPORT_TOPICS_RESULT (flairbit-users), EXPORT_S3_ENDPOINT, EXPORT_S3_REGION,
            EXPORT_S3_ACCESS_KEY_ID, EXPORT_S3_SECRET_ACCESS_KEY.
            Exit code 1: a result is not as it has to be; the error says which one.
            """;

    /** JSON is UTF-8, whatever the locale says. */
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 0) {
            System.out.print(USAGE);
            System.exit(arguments[0].equals("--help") ? 0 : 2);
        }
        try (S3Client s3 = s3();
                KafkaConsumer<byte[], byte[]> consumer = consumer(null)) {
            read(consumer, setting("EXPORT_TOPICS_RESULT", "flairbit-users"), s3);
        }
    }

    static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** Where Kafka is, and how to get there. */
    static Map<String, String> kafka() {
        return Map.of("bootstrap.servers", setting("EXPORT_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"));
    }

    /**
     * read_committed is what makes a result visible once and whole; the default would show aborted ones. `group` may be null.
     */
    static KafkaConsumer<byte[], byte[]> consumer(String group) throws IOException {
        Map<String, Object> properties = new HashMap<>(kafka());
        properties.putAll(Map.of(
                "isolation.level", "read_committed",
                "enable.auto.commit", "false",
                "auto.offset.reset", "earliest",
                "max.poll.records", "100",
                "max.poll.interval.ms", "1800000")); // 100 large objects are fetched in that time
        if (group != null) {
            properties.put("group.id", group);
            // A static member: who starts again on this machine gets the partitions at once, without the session's timeout.
            properties.put("group.instance.id", InetAddress.getLocalHost().getHostName());
        }
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static S3Client s3() {
        String endpoint = setting("EXPORT_S3_ENDPOINT", null);
        var builder = S3Client.builder()
                .httpClientBuilder(UrlConnectionHttpClient.builder())
                .region(Region.of(setting("EXPORT_S3_REGION", "us-east-1")))
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(
                        setting("EXPORT_S3_ACCESS_KEY_ID", "none"), setting("EXPORT_S3_SECRET_ACCESS_KEY", "none"))));
        if (endpoint != null) {
            builder.endpointOverride(URI.create(endpoint)).forcePathStyle(true);
        }
        return builder.build();
    }

    private static void read(KafkaConsumer<byte[], byte[]> consumer, String topic, S3Client s3) throws IOException {
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(topic, info.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        Announcements announcements = new Announcements();
        while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                try {
                    Optional<Announcements.Announcement> complete = announcements.add(record);
                    if (complete.isPresent()) {
                        OUT.println(JsonMapper.builder().build().writeValueAsString(check(complete.get(), record, s3)));
                    }
                } catch (IOException e) {
                    throw new IOException("partition " + record.partition() + " offset " + record.offset() + ": " + e.getMessage(), e);
                }
            }
        }
        if (announcements.unfinished() != 0) {
            throw new IOException(announcements.unfinished() + " results are not complete");
        }
    }

    /** What is said of an announcement; a file's object is the one announced. */
    static Map<String, Object> check(
            Announcements.Announcement announced, ConsumerRecord<byte[], byte[]> record, S3Client s3) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("groupId", announced.first().groupId());
        line.put("commandId", announced.commandId());
        line.put("runId", announced.runId());
        line.put("domainId", announced.first().domainId());
        line.put("partition", record.partition());
        line.put("rows", announced.rowCount());
        line.put("parts", announced.parts());
        if (announced.usernames() != null) {
            line.put("usernames", announced.usernames().size());
        } else {
            ExportFile.Facts facts = ExportFile.read(announced.first().filePath(), announced.first().groupId(), s3);
            if (facts.rows() != announced.rowCount() || facts.bytes() != announced.byteCount()
                    || !facts.sha256().equals(announced.sha256())) {
                throw new IOException("the object is not the one announced: " + facts);
            }
            line.put("filePath", announced.first().filePath());
            line.put("sha256", facts.sha256());
            line.put("nulls", facts.nulls());
            line.put("empties", facts.empties());
        }
        return line;
    }
}
