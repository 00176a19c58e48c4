// SPDX-License-Identifier: Apache-2.0
package sample;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.List;

/** The value of a result: exactly these six fields, null where one does not apply. */
public record GroupResult(
        String groupId, String filePath, String fileName, String contentType, String domainId, List<String> usernames) {

    /** Refuses a field too many, one too few, a name that stands twice and anything behind the object. */
    private static final ObjectReader READER = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .build()
            .readerFor(GroupResult.class);

    public static GroupResult read(byte[] value) throws IOException {
        GroupResult result = READER.readValue(value);
        result.check();
        return result;
    }

    private void check() throws IOException {
        boolean file = filePath != null;
        if (groupId == null || domainId == null) {
            throw new IOException("groupId and domainId are never null");
        }
        if (file == (usernames != null) || file != (fileName != null) || file != (contentType != null)) {
            throw new IOException("neither a file nor a list of usernames");
        }
        if (file && !filePath.endsWith("/" + fileName)) {
            throw new IOException("fileName is not the last segment of filePath");
        }
    }
}
