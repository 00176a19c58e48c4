// SPDX-License-Identifier: Apache-2.0
package sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.GZIPInputStream;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;

/** Fetches an exported file and counts what is in it, in one pass and without holding it in memory. */
public final class ExportFile {
    private static final List<String> COLUMNS = List.of(
            "username", "groupId", "displayName", "gender", "dateOfBirth", "location", "intent", "bio", "smokes", "drinks",
            "wantsKids", "education", "religion", "occupation", "preferredGenders", "preferredMinAge", "preferredMaxAge",
            "relationshipType", "openToLongDistance", "readyForMatching", "exportVersion");

    /** What was found in the file; nulls and empties are fields of all rows. */
    public record Facts(long rows, long bytes, String sha256, long nulls, long empties) {}

    private ExportFile() {}

    /** `s3` may be null where no s3:// path comes. */
    public static Facts read(String filePath, String groupId, S3Client s3) throws IOException {
        MessageDigest digest = sha256();
        try (InputStream raw = open(filePath, s3);
                CountingStream counted = new CountingStream(new DigestInputStream(raw, digest))) {
            // The whole gzip stream is read below; what GZIPInputStream leaves unread behind it is read here, so that
            // digest and size are those of the object.
            long[] counts = rows(counted, groupId);
            counted.transferTo(java.io.OutputStream.nullOutputStream());
            return new Facts(counts[0], counted.count(), HexFormat.of().formatHex(digest.digest()), counts[1], counts[2]);
        }
    }

    /** The path is taken as it stands: a key is neither escaped nor decoded. Only file:/// has '%' as "%25". */
    private static InputStream open(String filePath, S3Client s3) throws IOException {
        if (filePath.startsWith("file:///")) {
            return Files.newInputStream(Path.of(filePath.substring("file://".length()).replace("%25", "%")));
        }
        if (!filePath.startsWith("s3://") || s3 == null) {
            throw new IOException("cannot fetch this kind of path: " + filePath);
        }
        String[] parts = filePath.substring("s3://".length()).split("/", 2);
        return s3.getObject(GetObjectRequest.builder().bucket(parts[0]).key(parts[1]).build());
    }

    private static long[] rows(InputStream compressed, String groupId) throws IOException {
        long rows = 0;
        long nulls = 0;
        long empties = 0;
        var strict = StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        Csv csv = new Csv(new BufferedReader(new InputStreamReader(new GZIPInputStream(compressed, 1 << 16), strict)));
        if (!COLUMNS.equals(csv.read())) {
            throw new IOException("the header line is not the one expected");
        }
        for (List<String> row = csv.read(); row != null; row = csv.read()) {
            if (row.size() != COLUMNS.size() || !groupId.equals(row.get(1)) || !"1.0".equals(row.get(COLUMNS.size() - 1))) {
                throw new IOException("row " + (rows + 1) + " has another shape, group or version");
            }
            rows++;
            nulls += row.stream().filter(field -> field == null).count();
            empties += row.stream().filter("" ::equals).count();
        }
        return new long[] {rows, nulls, empties};
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has it
        }
    }

    /** Counts the bytes that pass. */
    private static final class CountingStream extends java.io.FilterInputStream {
        private long count;

        CountingStream(InputStream in) {
            super(in);
        }

        long count() {
            return count;
        }

        @Override
        public int read() throws IOException {
            int c = super.read();
            count += c < 0 ? 0 : 1;
            return c;
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            int got = super.read(to, offset, length);
            count += Math.max(got, 0);
            return got;
        }
    }
}
