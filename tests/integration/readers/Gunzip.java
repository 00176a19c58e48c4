/* SPDX-License-Identifier: Apache-2.0 */
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;

/** For each file the size and the SHA-256 of what it decompresses to. */
public final class Gunzip {
    public static void main(String[] paths) throws IOException, GeneralSecurityException {
        for (String path : paths) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            try (InputStream file = new BufferedInputStream(Files.newInputStream(Path.of(path)));
                 InputStream text = new DigestInputStream(new GZIPInputStream(file), digest)) {
                long size = text.transferTo(java.io.OutputStream.nullOutputStream());
                System.out.println(size + " " + HexFormat.of().formatHex(digest.digest()));
            }
        }
    }
}
