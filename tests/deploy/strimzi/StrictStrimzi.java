// SPDX-License-Identifier: Apache-2.0

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.strimzi.api.kafka.model.common.UnknownPropertyPreserving;
import io.strimzi.api.kafka.model.topic.KafkaTopic;
import io.strimzi.api.kafka.model.user.KafkaUser;
import java.io.File;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;

/** Reads the Strimzi objects among the YAML documents of the files into Strimzi's own API: a field that it does not know is an error. */
public class StrictStrimzi {
    private static final Map<String, Class<?>> TYPES = Map.of("KafkaTopic", KafkaTopic.class, "KafkaUser", KafkaUser.class);

    /** Strimzi keeps unknown fields instead of refusing them: they are looked for in all that was read. */
    private static void check(Object value, String path) throws Exception {
        if (value instanceof UnknownPropertyPreserving) {
            Map<String, Object> unknown = ((UnknownPropertyPreserving) value).getAdditionalProperties();
            if (unknown != null && !unknown.isEmpty()) throw new IllegalArgumentException(path + ": unknown " + unknown.keySet());
        }
        if (value instanceof List) {
            for (Object item : (List<?>) value) check(item, path + "[]");
            return;
        }
        if (value == null || !value.getClass().getName().startsWith("io.strimzi.")) return;
        for (Method method : value.getClass().getMethods()) {
            if (method.getName().startsWith("get") && method.getParameterCount() == 0 && method.getDeclaringClass() != Object.class
                    && !method.getName().equals("getAdditionalProperties") && !value.getClass().isEnum())
                check(method.invoke(value), path + "." + method.getName().substring(3));
        }
    }

    public static void main(String[] files) throws Exception {
        ObjectMapper mapper = new ObjectMapper(new YAMLFactory()).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        int count = 0;
        for (String file : files) {
            for (JsonNode node : mapper.readerFor(JsonNode.class).<JsonNode>readValues(new File(file)).readAll()) {
                if (node.isNull() || !node.path("apiVersion").asText().startsWith("kafka.strimzi.io/")) continue;
                Class<?> type = TYPES.get(node.path("kind").asText());
                String name = node.path("kind").asText() + " " + node.path("metadata").path("name").asText();
                if (type == null) throw new IllegalArgumentException(name + ": no such kind is known here");
                check(mapper.treeToValue(node, type), name);
                System.out.println(file + " " + name);
                count++;
            }
        }
        if (count == 0) throw new IllegalArgumentException("no object of Strimzi in " + String.join(" ", files));
    }
}
