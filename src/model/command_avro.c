/* SPDX-License-Identifier: Apache-2.0 */
#include "model/command_fields.h"

#include <avro.h>
#include <pthread.h>
#include <stdlib.h>

#include "export/log.h"

#define MARKER_0 0xC3
#define MARKER_1 0x01
#define HEAD_BYTES 10 /* marker and fingerprint */
#define FIELD_COUNT 7
#define TIME_FIELD 4 /* index of requestedAt in the schema */

const char *const uex_command_text_names[UEX_COMMAND_TEXT_COUNT] = {
    [UEX_COMMAND_GROUP_ID] = "groupId",   [UEX_COMMAND_COMMAND_ID] = "commandId",     [UEX_COMMAND_RUN_ID] = "runId",
    [UEX_COMMAND_DOMAIN_ID] = "domainId", [UEX_COMMAND_REQUESTED_BY] = "requestedBy", [UEX_COMMAND_REASON] = "reason",
};

/* A record of the command's schema. Made for each command (17 us): a schema that is kept would be a global that
 * nobody can free safely. */
struct avro_record {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    avro_value_t value;
};

static void record_clear(struct avro_record *record)
{
    if (record->value.self != NULL)
        avro_value_decref(&record->value);
    if (record->iface != NULL)
        avro_value_iface_decref(record->iface);
    if (record->schema != NULL)
        (void)avro_schema_decref(record->schema);
    *record = (struct avro_record){0};
}

/* avro-c itself does not survive an allocation that fails (st_init_strtable() uses it unseen), so for it none does. */
static void *allocate(void *context, void *old, size_t old_bytes, size_t size_bytes)
{
    void *memory = NULL;

    (void)context;
    (void)old_bytes;
    if (size_bytes == 0) {
        free(old);
        return NULL;
    }
    memory = realloc(old, size_bytes);
    if (memory == NULL)
        uex_out_of_memory("Avro");
    return memory;
}

static pthread_once_t allocator_once = PTHREAD_ONCE_INIT;

static void set_allocator(void)
{
    avro_set_allocator(allocate, NULL);
}

/* False when memory ends. The caller clears it in any case. */
static bool record_make(struct avro_record *record)
{
    if (pthread_once(&allocator_once, set_allocator) != 0)
        return false;
    if (avro_schema_from_json_length(uex_command_avro_schema, strlen(uex_command_avro_schema), &record->schema) != 0) {
        record->schema = NULL;
        return false;
    }
    record->iface = avro_generic_class_from_schema(record->schema);
    if (record->iface == NULL)
        return false;
    if (avro_generic_value_new(record->iface, &record->value) != 0) {
        record->value.self = NULL;
        return false;
    }
    return true;
}

bool uex_command_is_avro(struct uex_bytes value)
{
    return value.size_bytes >= 2 && value.data[0] == MARKER_0 && value.data[1] == MARKER_1;
}

/* The fingerprint stands in little-endian order. */
static uint64_t read_fingerprint(const uint8_t *bytes)
{
    uint64_t fingerprint = 0;

    for (int i = 7; i >= 0; i--)
        fingerprint = fingerprint << 8 | bytes[i];
    return fingerprint;
}

/* A zig-zag varint of at most 10 bytes. */
static bool walk_long(struct uex_bytes *rest, int64_t *out)
{
    uint64_t bits = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (rest->size_bytes == 0)
            return false;
        uint8_t byte = *rest->data++;
        rest->size_bytes--;
        if (shift == 63 && byte > 1)
            return false;
        bits |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            *out = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return false;
}

/* avro-c 1.11 allocates a string's length before it looks whether the bytes are there, adds 1 to it without a check for
 * overflow, and says nothing of bytes left over. So every union branch and length is checked first. NULL if good. */
static const char *walk_body(struct uex_bytes rest)
{
    int64_t number = 0;

    for (int field = 0; field < FIELD_COUNT; field++) {
        if (!walk_long(&rest, &number))
            return "the text ends too early or has a bad number";
        if (number != 0 && number != 1)
            return "an unknown union branch";
        if (number == 0)
            continue;
        if (!walk_long(&rest, &number))
            return "the text ends too early or has a bad number";
        if (field == TIME_FIELD)
            continue;
        if (number < 0 || (uint64_t)number > rest.size_bytes)
            return "a string longer than the rest of the value";
        rest.data += number;
        rest.size_bytes -= (size_t)number;
    }
    return rest.size_bytes == 0 ? NULL : "data after the record";
}

/* A nullable string; `out` is borrowed from `record`. */
static int get_text(avro_value_t *record, const char *name, struct uex_bytes *out)
{
    avro_value_t field, branch;
    const char *text = NULL;
    size_t size = 0;
    int which = 0;
    int failed = avro_value_get_by_name(record, name, &field, NULL);

    if (failed == 0)
        failed = avro_value_get_discriminant(&field, &which);
    if (failed != 0 || which == 0)
        return failed;
    failed = avro_value_get_current_branch(&field, &branch);
    if (failed == 0)
        failed = avro_value_get_string(&branch, &text, &size);
    if (failed == 0) /* avro-c counts the zero that it puts behind a string */
        *out = uex_bytes_of(text, size - 1);
    return failed;
}

static int get_time(avro_value_t *record, struct uex_command_fields *fields)
{
    avro_value_t field, branch;
    int which = 0;
    int failed = avro_value_get_by_name(record, UEX_COMMAND_TIME_NAME, &field, NULL);

    if (failed == 0)
        failed = avro_value_get_discriminant(&field, &which);
    if (failed != 0 || which == 0)
        return failed;
    fields->has_requested_at = true;
    failed = avro_value_get_current_branch(&field, &branch);
    return failed != 0 ? failed : avro_value_get_long(&branch, &fields->requested_at_ms);
}

static enum uex_error read_record(avro_value_t *record, struct uex_bytes body, struct uex_command_fields *fields,
                                  struct uex_fault *fault)
{
    avro_reader_t reader = avro_reader_memory((const char *)body.data, (int64_t)body.size_bytes);
    int failed;

    if (reader == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "reading Avro");
    failed = avro_value_read(reader, record);
    for (size_t i = 0; i < UEX_COMMAND_TEXT_COUNT && failed == 0; i++)
        failed = get_text(record, uex_command_text_names[i], &fields->texts[i]);
    if (failed == 0)
        failed = get_time(record, fields);
    avro_reader_free(reader);
    /* What passed the walk fits the schema, so only memory can be short. */
    return failed == 0 ? UEX_OK : uex_fail(fault, UEX_NO_MEMORY, "reading Avro of %zu bytes", body.size_bytes);
}

enum uex_error uex_command_read_avro(struct uex_bytes value, uex_command_take *take, void *context,
                                     struct uex_fault *fault)
{
    struct uex_command_fields fields = {0};
    struct avro_record record = {0};
    enum uex_error error;

    if (value.size_bytes < HEAD_BYTES)
        return uex_fail(fault, UEX_MALFORMED, "not Avro as expected: the text ends too early");
    if (read_fingerprint(value.data + 2) != UEX_COMMAND_AVRO_FINGERPRINT)
        return uex_fail(fault, UEX_MALFORMED, "Avro of another schema: fingerprint %016llx",
                        (unsigned long long)read_fingerprint(value.data + 2));
    struct uex_bytes body = uex_bytes_of(value.data + HEAD_BYTES, value.size_bytes - HEAD_BYTES);
    const char *problem = walk_body(body);
    if (problem != NULL)
        return uex_fail(fault, UEX_MALFORMED, "not Avro as expected: %s", problem);
    error = record_make(&record) ? UEX_OK : uex_fail(fault, UEX_NO_MEMORY, "reading Avro");
    if (error == UEX_OK)
        error = read_record(&record.value, body, &fields, fault);
    if (error == UEX_OK)
        error = take(&fields, context, fault);
    record_clear(&record);
    return error;
}

static int set_text(avro_value_t *record, const char *name, const char *text)
{
    bool is_set = text != NULL && text[0] != '\0';
    avro_value_t field, branch;
    int failed = avro_value_get_by_name(record, name, &field, NULL);

    if (failed == 0)
        failed = avro_value_set_branch(&field, is_set ? 1 : 0, &branch);
    if (failed != 0)
        return failed;
    return is_set ? avro_value_set_string_len(&branch, text, strlen(text) + 1) : avro_value_set_null(&branch);
}

static int set_record(avro_value_t *record, const struct uex_command *command)
{
    const char *const texts[UEX_COMMAND_TEXT_COUNT] = {
        [UEX_COMMAND_GROUP_ID] = command->group_id,
        [UEX_COMMAND_COMMAND_ID] = command->command_id,
        [UEX_COMMAND_RUN_ID] = command->run_id,
        [UEX_COMMAND_DOMAIN_ID] = command->domain_id,
        [UEX_COMMAND_REQUESTED_BY] = command->requested_by,
        [UEX_COMMAND_REASON] = command->reason,
    };
    bool has_time = command->requested_at_ms != UEX_NO_TIME;
    avro_value_t field, branch;
    int failed = 0;

    for (size_t i = 0; i < UEX_COMMAND_TEXT_COUNT && failed == 0; i++)
        failed = set_text(record, uex_command_text_names[i], texts[i]);
    if (failed == 0)
        failed = avro_value_get_by_name(record, UEX_COMMAND_TIME_NAME, &field, NULL);
    if (failed == 0)
        failed = avro_value_set_branch(&field, has_time ? 1 : 0, &branch);
    if (failed != 0)
        return failed;
    return has_time ? avro_value_set_long(&branch, command->requested_at_ms) : avro_value_set_null(&branch);
}

/* The record behind its head, in one piece. */
static bool append_record(avro_value_t *record, struct uex_buffer *out)
{
    uint8_t head[HEAD_BYTES] = {MARKER_0, MARKER_1};
    avro_writer_t writer = NULL;
    size_t size = 0;
    uint8_t *place;

    for (int i = 0; i < 8; i++)
        head[2 + i] = (uint8_t)(UEX_COMMAND_AVRO_FINGERPRINT >> (8 * i));
    if (avro_value_sizeof(record, &size) != 0)
        return false;
    place = uex_buffer_reserve(out, HEAD_BYTES + size);
    if (place == NULL)
        return false;
    memcpy(place, head, HEAD_BYTES);
    writer = avro_writer_memory((const char *)place + HEAD_BYTES, (int64_t)size);
    if (writer == NULL)
        return false;
    bool written = avro_value_write(writer, record) == 0;
    avro_writer_free(writer);
    if (written) {
        out->size_bytes += HEAD_BYTES + size;
        out->data[out->size_bytes] = 0;
    }
    return written;
}

enum uex_error uex_command_write_avro(const struct uex_command *command, struct uex_buffer *out)
{
    struct avro_record record = {0};
    bool written = record_make(&record) && set_record(&record.value, command) == 0 && append_record(&record.value, out);

    record_clear(&record);
    return written ? UEX_OK : UEX_NO_MEMORY;
}

/* The text of schemas/export_group_command.avsc, byte for byte; command_avro_test compares the two and works the
 * fingerprint out again. */
/* clang-format off */
const char uex_command_avro_schema[] =
    "{\n"
    "  \"type\": \"record\",\n"
    "  \"name\": \"ExportGroupCommand\",\n"
    "  \"namespace\": \"usersexport\",\n"
    "  \"doc\": \"A command to export one group. Every field may be missing; groupId only where the record's key carries it.\",\n"
    "  \"fields\": [\n"
    "    {\"name\": \"groupId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"commandId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"runId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"domainId\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"requestedAt\", \"type\": [\"null\", {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}], \"default\": null},\n"
    "    {\"name\": \"requestedBy\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    "    {\"name\": \"reason\", \"type\": [\"null\", \"string\"], \"default\": null}\n"
    "  ]\n"
    "}\n";
/* clang-format on */
