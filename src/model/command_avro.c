/* SPDX-License-Identifier: Apache-2.0 */
/* A command in Avro: seven nullable fields (schemas/export_group_command.avsc), read by hand. avro-c 1.11 is of no
 * help: it allocates a string's length before it looks whether the bytes are there, adds 1 to it without a check for
 * overflow, does not survive an allocation that fails, and says nothing of bytes left over. So every union branch and
 * length has to be checked before it, and then the fields are read already. */
#include "model/command_fields.h"

#define MARKER_0 0xC3
#define MARKER_1 0x01
#define HEAD_BYTES 10 /* marker and fingerprint */
#define FIELD_COUNT (UEX_COMMAND_TEXT_COUNT + 1)
#define TIME_FIELD 4 /* position of requestedAt in the schema; the texts stand in the order of their enum */

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
static bool read_long(struct uex_bytes *rest, int64_t *out)
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

/* Texts are borrowed from `rest`. NULL if good. */
static const char *read_body(struct uex_bytes rest, struct uex_command_fields *fields)
{
    int64_t number = 0;

    for (size_t field = 0; field < FIELD_COUNT; field++) {
        if (!read_long(&rest, &number))
            return "the text ends too early or has a bad number";
        if (number != 0 && number != 1)
            return "a union branch that is not there";
        if (number == 0)
            continue;
        if (!read_long(&rest, &number))
            return "the text ends too early or has a bad number";
        if (field == TIME_FIELD) {
            fields->has_requested_at = true;
            fields->requested_at_ms = number;
            continue;
        }
        if (number < 0 || (uint64_t)number > rest.size_bytes)
            return "a string that is longer than the rest";
        fields->texts[field < TIME_FIELD ? field : field - 1] = uex_bytes_of(rest.data, (size_t)number);
        rest.data += number;
        rest.size_bytes -= (size_t)number;
    }
    return rest.size_bytes == 0 ? NULL : "something behind the record";
}

enum uex_error uex_command_read_avro(struct uex_bytes value, uex_command_take *take, void *context,
                                     struct uex_fault *fault)
{
    struct uex_command_fields fields = {0};

    if (value.size_bytes < HEAD_BYTES)
        return uex_fail(fault, UEX_MALFORMED, "not Avro as expected: the text ends too early");
    if (read_fingerprint(value.data + 2) != UEX_COMMAND_AVRO_FINGERPRINT)
        return uex_fail(fault, UEX_MALFORMED, "Avro of another schema: fingerprint %016llx",
                        (unsigned long long)read_fingerprint(value.data + 2));
    const char *problem = read_body(uex_bytes_of(value.data + HEAD_BYTES, value.size_bytes - HEAD_BYTES), &fields);
    if (problem != NULL)
        return uex_fail(fault, UEX_MALFORMED, "not Avro as expected: %s", problem);
    return take(&fields, context, fault);
}
