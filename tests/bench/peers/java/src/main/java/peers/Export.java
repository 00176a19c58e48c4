/* SPDX-License-Identifier: Apache-2.0 */
package peers;

import com.opencsv.CSVWriter;
import com.opencsv.ICSVWriter;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.minio.MinioClient;
import io.minio.UploadObjectArgs;
import java.io.BufferedOutputStream;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The user-export module of a typical Spring service, without the container: pages of 1000 users through HikariCP and JDBC, mapped
 * to objects, written by OpenCSV into a gzip temporary file, uploaded by the MinIO SDK, announced by KafkaProducer.
 *
 * one GROUP cursor|offset [REPEAT]          export one group; REPEAT shows the warm time in the same JVM
 * many THREADS none|tx|tx-offsets FROM TO   export groups sFROM..sTO
 * announce THREADS none|tx|tx-offsets FROM TO   the same, only the Kafka part: what the transactions alone cost
 */
public final class Export {
    private static final int PAGE = 1000;
    private static final int LEVEL = Integer.getInteger("gzip.level", Deflater.DEFAULT_COMPRESSION);
    private static final String COLUMNS = "username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks,"
        + " wants_kids, education, religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type,"
        + " open_to_long_distance, ready_for_matching";
    private static final String SELECT = "SELECT " + COLUMNS + " FROM export_user WHERE group_id = ? AND NOT sent_to_matching_service";
    private static final String[] HEADER = {"username", "groupId", "displayName", "gender", "dateOfBirth", "location", "intent", "bio",
        "smokes", "drinks", "wantsKids", "education", "religion", "occupation", "preferredGenders", "preferredMinAge", "preferredMaxAge",
        "relationshipType", "openToLongDistance", "readyForMatching"};

    record User(String username, String groupId, String displayName, String gender, LocalDate dateOfBirth, String location, String intent,
                String bio, Boolean smokes, Boolean drinks, Boolean wantsKids, String education, String religion, String occupation,
                String preferredGenders, Integer preferredMinAge, Integer preferredMaxAge, String relationshipType,
                Boolean openToLongDistance, Boolean readyForMatching) {
        static User map(ResultSet r) throws SQLException {
            return new User(r.getString(1), r.getString(2), r.getString(3), r.getString(4), r.getObject(5, LocalDate.class), r.getString(6),
                r.getString(7), r.getString(8), bool(r, 9), bool(r, 10), bool(r, 11), r.getString(12), r.getString(13), r.getString(14),
                r.getString(15), integer(r, 16), integer(r, 17), r.getString(18), bool(r, 19), bool(r, 20));
        }

        private static Boolean bool(ResultSet r, int i) throws SQLException {
            boolean b = r.getBoolean(i);
            return r.wasNull() ? null : b;
        }

        private static Integer integer(ResultSet r, int i) throws SQLException {
            int n = r.getInt(i);
            return r.wasNull() ? null : n;
        }

        String[] toRow() {
            return new String[] {username, groupId, displayName, gender, text(dateOfBirth), location, intent, bio, text(smokes), text(drinks),
                text(wantsKids), education, religion, occupation, preferredGenders, text(preferredMinAge), text(preferredMaxAge),
                relationshipType, text(openToLongDistance), text(readyForMatching)};
        }

        private static String text(Object o) {
            return o == null ? null : o.toString();
        }
    }

    private static String env(String name) {
        String v = System.getenv(name);
        if (v == null) throw new IllegalStateException("environment variable " + name + " is not set");
        return v;
    }

    private final HikariDataSource db;
    private final MinioClient s3;
    private final String bucket = env("S3_BUCKET");
    private final String topic = env("KAFKA_TOPIC");

    private Export(int connections) {
        HikariConfig c = new HikariConfig();
        c.setJdbcUrl("jdbc:postgresql://" + env("PGHOST") + ":" + env("PGPORT") + "/" + env("PGDATABASE"));
        c.setUsername(env("PGUSER"));
        c.setPassword(env("PGPASSWORD"));
        c.setMaximumPoolSize(connections);
        db = new HikariDataSource(c);
        s3 = MinioClient.builder().endpoint(env("S3_ENDPOINT")).region(env("AWS_DEFAULT_REGION"))
            .credentials(env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY")).build();
    }

    private static KafkaProducer<String, String> producer(String transactionalId) {
        Properties p = new Properties();
        p.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, env("KAFKA_BOOTSTRAP"));
        p.put(ProducerConfig.ACKS_CONFIG, "all");
        p.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        if (transactionalId != null) p.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, transactionalId);
        KafkaProducer<String, String> k = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
        if (transactionalId != null) k.initTransactions();
        return k;
    }

    private static void write(CSVWriter csv, List<User> page) {
        for (User u : page) csv.writeNext(u.toRow(), false);
        page.clear();
    }

    /** Server-side cursor: one query, fetched 1000 rows at a time. */
    private void cursor(String group, CSVWriter csv) throws SQLException {
        try (Connection c = db.getConnection()) {
            c.setReadOnly(true);
            c.setAutoCommit(false);
            try (PreparedStatement q = c.prepareStatement(SELECT)) {
                q.setFetchSize(PAGE);
                q.setString(1, group);
                List<User> page = new ArrayList<>(PAGE);
                try (ResultSet r = q.executeQuery()) {
                    while (r.next()) {
                        page.add(User.map(r));
                        if (page.size() == PAGE) write(csv, page);
                    }
                }
                write(csv, page);
            }
            c.commit();
        }
    }

    /** Spring Data's Pageable: one query per page, ORDER BY id LIMIT 1000 OFFSET n. */
    private void offset(String group, CSVWriter csv) throws SQLException {
        List<User> page = new ArrayList<>(PAGE);
        for (long from = 0;; from += PAGE) {
            try (Connection c = db.getConnection(); PreparedStatement q = c.prepareStatement(SELECT + " ORDER BY id LIMIT ? OFFSET ?")) {
                q.setString(1, group);
                q.setInt(2, PAGE);
                q.setLong(3, from);
                try (ResultSet r = q.executeQuery()) {
                    while (r.next()) page.add(User.map(r));
                }
            }
            boolean last = page.size() < PAGE;
            write(csv, page);
            if (last) return;
        }
    }

    private ProducerRecord<String, String> exportFile(String group, String how, String key) throws Exception {
        Path file = Files.createTempFile("users-export", ".csv.gz");
        try {
            try (OutputStream raw = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
                 GZIPOutputStream gz = new GZIPOutputStream(raw, 1 << 16) {{ def.setLevel(LEVEL); }};
                 CSVWriter csv = new CSVWriter(new BufferedWriter(new OutputStreamWriter(gz, StandardCharsets.UTF_8), 1 << 16),
                     ICSVWriter.DEFAULT_SEPARATOR, ICSVWriter.DEFAULT_QUOTE_CHARACTER, ICSVWriter.DEFAULT_QUOTE_CHARACTER, "\n")) {
                csv.writeNext(HEADER, false);
                if (how.equals("offset")) offset(group, csv); else cursor(group, csv);
                if (csv.checkError()) throw new IOException("cannot write " + file);
            }
            s3.uploadObject(UploadObjectArgs.builder().bucket(bucket).object(key).filename(file.toString())
                .contentType("application/gzip").build());
        } finally {
            Files.deleteIfExists(file);
        }
        return new ProducerRecord<>(topic, group, "{\"groupId\":\"" + group + "\",\"filePath\":\"s3://" + bucket + "/" + key
            + "\",\"contentType\":\"application/gzip\"}");
    }

    private static void one(String group, String how, int repeat) throws Exception {
        Export e = new Export(2);
        try (KafkaProducer<String, String> k = producer(null)) {
            for (int i = 0; i < repeat; i++) {
                long t = System.nanoTime();
                k.send(e.exportFile(group, how, "java-" + how + "/" + group + ".csv.gz")).get();
                if (repeat > 1) System.out.printf("%.3f%n", (System.nanoTime() - t) / 1e9);
            }
        }
        e.db.close();
    }

    private static void many(int threads, String mode, int from, int to, boolean files) throws Exception {
        Export e = new Export(threads);
        KafkaProducer<String, String> shared = mode.equals("none") ? producer(null) : null;
        ConsumerGroupMetadata consumers = new ConsumerGroupMetadata("peers-java-" + mode);
        String commands = env("KAFKA_COMMANDS");
        AtomicInteger next = new AtomicInteger(from);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Void>> work = new ArrayList<>();
        long start = System.nanoTime();
        for (int n = 0; n < threads; n++) {
            int id = n;
            work.add(pool.submit(() -> {
                KafkaProducer<String, String> k = shared != null ? shared : producer("peers-java-" + id);
                for (int g; (g = next.getAndIncrement()) <= to;) {
                    String group = String.format("s%04d", g);
                    ProducerRecord<String, String> announcement = files
                        ? e.exportFile(group, "cursor", "java-" + mode + "/" + group + ".csv.gz")
                        : new ProducerRecord<>(e.topic, group, "{\"groupId\":\"" + group + "\",\"filePath\":null,\"contentType\":null}");
                    if (shared != null) {
                        k.send(announcement).get();
                        continue;
                    }
                    k.beginTransaction();
                    k.send(announcement);
                    if (mode.equals("tx-offsets"))
                        k.sendOffsetsToTransaction(Map.of(new TopicPartition(commands, id), new OffsetAndMetadata(g)), consumers);
                    k.commitTransaction();
                }
                if (shared == null) k.close();
                return null;
            }));
        }
        for (Future<Void> f : work) f.get();
        double s = (System.nanoTime() - start) / 1e9;
        System.out.printf("groups %d seconds %.3f groups/s %.1f%n", to - from + 1, s, (to - from + 1) / s);
        pool.shutdown();
        if (shared != null) shared.close();
        e.db.close();
    }

    public static void main(String[] a) throws Exception {
        if (a.length >= 3 && a[0].equals("one")) one(a[1], a[2], a.length > 3 ? Integer.parseInt(a[3]) : 1);
        else if (a.length == 5 && (a[0].equals("many") || a[0].equals("announce")))
            many(Integer.parseInt(a[1]), a[2], Integer.parseInt(a[3]), Integer.parseInt(a[4]), a[0].equals("many"));
        else {
            System.err.println("usage: one GROUP cursor|offset [REPEAT] | many|announce THREADS none|tx|tx-offsets FROM TO");
            System.exit(2);
        }
        System.exit(0); // the MinIO SDK's HTTP client keeps non-daemon threads for a minute
    }
}
