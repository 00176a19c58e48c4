/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/file.h — reading the configuration file and files that hold one secret. */
#ifndef EXPORT_CONFIG_FILE_H
#define EXPORT_CONFIG_FILE_H

#include "export/buffer.h"

#define UEX_CONFIG_FILE_MAX_BYTES ((size_t)1 << 20)
#define UEX_CONFIG_VALUE_MAX_BYTES ((size_t)64 << 10)
#define UEX_CONFIG_KEY_MAX_BYTES 140
#define UEX_CONFIG_ENTRIES_MAX 2000

/* One `key = value` of the file. */
struct uex_config_entry {
    char *key; /* with its section: "log.level" */
    char *value;
    size_t line;
};

struct uex_config_entries {
    struct uex_config_entry *items;
    size_t count;
};

/* Read a whole file, of any kind; waits 5 s at most for a pipe. UEX_CONFIG with the reason: cannot be read, longer than
 * `most_bytes`, holds a zero byte. The fault names no path. */
UEX_MUST_CHECK enum uex_error uex_config_read(const char *path, size_t most_bytes, struct uex_buffer *out,
                                              struct uex_fault *fault);

/* Read an INI text. What cannot be understood is reported by line, never with its text: it may be a secret.
 * UEX_NO_MEMORY. The caller clears `out` (wiping it) in any case. */
UEX_MUST_CHECK enum uex_error uex_config_entries_read(struct uex_bytes text, struct uex_config_entries *out,
                                                      void (*report)(void *context, size_t line, const char *what),
                                                      void *context);
void uex_config_entries_clear(struct uex_config_entries *entries);
#endif
