/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/command.h — an export command: what a record of the command topic says. Any thread. */
#ifndef EXPORT_COMMAND_H
#define EXPORT_COMMAND_H

#include "export/buffer.h"
#include "export/clock.h"
#include "export/uuid.h"

#define UEX_GROUP_ID_MAX_BYTES 255
#define UEX_RUN_ID_MAX_CHARACTERS 64 /* Unicode code points, as maxLength of JSON Schema counts */
#define UEX_RUN_ID_MAX_BYTES (4 * UEX_RUN_ID_MAX_CHARACTERS)
#define UEX_FREE_TEXT_MAX_CHARACTERS 255
#define UEX_COMMAND_MAX_BYTES ((size_t)1 << 20) /* of a record's value */

/* Owned strings are never NULL after a successful parse; "" is missing. */
struct uex_command {
    char *group_id;
    char command_id[UEX_UUID_TEXT_SIZE]; /* lower case; "" until known */
    char *run_id;
    char domain_id[UEX_UUID_TEXT_SIZE]; /* lower case; "" if the command carries none */
    int64_t requested_at_ms;            /* UEX_NO_TIME if the command carries none */
    char *requested_by;
    char *reason;
};

/* Read a record. `key.data` NULL: the record has no key. The value is JSON (RFC 8259, one object, duplicate names and
 * invalid UTF-8 refused, at most 32 levels deep) or Avro single-object encoding (Avro 1.11 specification,
 * "Single-object encoding": C3 01, CRC-64-AVRO fingerprint of schemas/export_group_command.avsc), recognised by its
 * first bytes. null stands for a missing optional field; other fields are ignored. U+0000 is refused everywhere: no
 * string of the program can carry it. UEX_MALFORMED with the reason otherwise (field and rule, never the value);
 * UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_command_parse(struct uex_bytes key, struct uex_bytes value, struct uex_command *out,
                                                struct uex_fault *fault);

/* The value as the scheduler and exportctl write it: JSON with the fields that are set. */
void uex_command_write_json(const struct uex_command *command, struct uex_buffer *out);
/* The same in Avro single-object encoding. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_command_write_avro(const struct uex_command *command, struct uex_buffer *out);

/* The same value with the id `command_id` in the place of its own; nothing else in it changes. UEX_NOT_FOUND: it has no
 * id of its own. UEX_MALFORMED: it is no command, or its id is written in a way that cannot be replaced (with escapes);
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_command_reissue(struct uex_bytes key, struct uex_bytes value, const char *command_id,
                                                  struct uex_buffer *out, struct uex_fault *fault);

/* The id of a command whose record has none: UUIDv5 of "record/<cluster>/<topic>/<partition>/<offset>/<timestamp ms>".
 */
void uex_command_id_of_record(const char *cluster_id, const char *topic, int32_t partition, int64_t offset,
                              int64_t timestamp_ms, char *out);
/* The id of a scheduled command: UUIDv5 of "schedule/<runId>/<groupId>". */
void uex_command_id_of_schedule(const char *run_id, const char *group_id, char *out);

void uex_command_clear(struct uex_command *command);
#endif
