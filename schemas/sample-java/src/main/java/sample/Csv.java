// SPDX-License-Identifier: Apache-2.0
package sample;

import java.io.IOException;
import java.io.Reader;
import java.util.ArrayList;
import java.util.List;

/**
 * RFC 4180 with '\n' line ends, one record at a time. Unlike most parsers it keeps NULL (nothing between the commas, here
 * null) and the empty string ("") apart.
 */
public final class Csv {
    private static final int END = -1;
    private final Reader in;
    private int next;

    public Csv(Reader in) throws IOException {
        this.in = in;
        this.next = in.read();
    }

    /** The next record, or null after the last one. */
    public List<String> read() throws IOException {
        if (next == END) {
            return null;
        }
        List<String> fields = new ArrayList<>(21);
        while (true) {
            fields.add(next == '"' ? quoted() : plain());
            int separator = take();
            if (separator == '\n') {
                return fields;
            }
            if (separator != ',') {
                throw new IOException(separator == END ? "the last line has no line end" : "text behind a quoted field");
            }
        }
    }

    private int take() throws IOException {
        int taken = next;
        next = in.read();
        return taken;
    }

    private String quoted() throws IOException {
        StringBuilder text = new StringBuilder();
        take();
        while (true) {
            int c = take();
            if (c == END) {
                throw new IOException("a quoted field has no end");
            }
            if (c == '"') {
                if (next != '"') {
                    return text.toString();
                }
                take();
            }
            text.append((char) c);
        }
    }

    private String plain() throws IOException {
        StringBuilder text = new StringBuilder();
        while (next != ',' && next != '\n' && next != END) {
            if (next == '"' || next == '\r') {
                throw new IOException("a quote or carriage return in a field without quotes");
            }
            text.append((char) take());
        }
        return text.isEmpty() ? null : text.toString();
    }
}
