/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/command_fields.h — the fields of a command's value, before they are checked: the same for JSON and Avro, so
 * that command.c checks both by the same rules. Any thread. */
#ifndef EXPORT_MODEL_COMMAND_FIELDS_H
#define EXPORT_MODEL_COMMAND_FIELDS_H

#include "export/command.h"

/* The fields that are text; table in command_avro.c. */
enum uex_command_text {
    UEX_COMMAND_GROUP_ID,
    UEX_COMMAND_COMMAND_ID,
    UEX_COMMAND_RUN_ID,
    UEX_COMMAND_DOMAIN_ID,
    UEX_COMMAND_REQUESTED_BY,
    UEX_COMMAND_REASON,
    UEX_COMMAND_TEXT_COUNT
};
extern const char *const uex_command_text_names[UEX_COMMAND_TEXT_COUNT];

#define UEX_COMMAND_TIME_NAME "requestedAt"

/* Texts are borrowed from the value's reader; data NULL is a field that is missing or null. */
struct uex_command_fields {
    struct uex_bytes texts[UEX_COMMAND_TEXT_COUNT];
    bool has_requested_at;
    int64_t requested_at_ms; /* not checked: Avro carries any 64 bits, UEX_NO_TIME among them */
};

/* Takes the fields of one command; an error of it is passed on. */
typedef enum uex_error uex_command_take(const struct uex_command_fields *fields, void *context,
                                        struct uex_fault *fault);

/* Read a value of either form and give its fields to `take` while they live. UEX_MALFORMED, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_command_read_json(struct uex_bytes value, uex_command_take *take, void *context,
                                                    struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_command_read_avro(struct uex_bytes value, uex_command_take *take, void *context,
                                                    struct uex_fault *fault);

/* Does this value begin like Avro single-object encoding (C3 01)? JSON never does. */
bool uex_command_is_avro(struct uex_bytes value);

/* The schema of the Avro form and the CRC-64-AVRO of its parsing canonical form (Avro 1.11 specification, "Parsing
 * Canonical Form for Schemas" and "Schema Fingerprints"). A change of one asks for a change of the other. */
extern const char uex_command_avro_schema[];
#define UEX_COMMAND_AVRO_FINGERPRINT UINT64_C(0xc00c4a140d1da4c4)
#endif
