/* SPDX-License-Identifier: Apache-2.0 */
/* The object, read as a stream: its digest and size, and the CSV inside. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verify/verify.h"
#include "export/file_reader.h"
#include "export/layout.h"

struct reading {
    struct uex_file_reader *reader;
    struct uex_digest *digest;
    uint64_t size_bytes;
    struct uex_fault broken; /* the first error of the reader */
    void (*heard)(void *context, uint64_t size_bytes);
    void *context;
};

/* The digest needs all bytes, so reading goes on after a gzip error. */
static enum uex_error take_bytes(void *context, struct uex_bytes data)
{
    struct reading *reading = context;

    reading->size_bytes += data.size_bytes;
    if (reading->heard != NULL)
        reading->heard(reading->context, reading->size_bytes);
    if (reading->broken.error == UEX_OK)
        (void)(uex_file_reader_write(reading->reader, data, &reading->broken) == UEX_OK);
    if (reading->broken.error == UEX_NO_MEMORY)
        return UEX_NO_MEMORY;
    return uex_digest_add(reading->digest, data);
}

/* Does this error end the whole run, and not only concern this object? */
static bool stops_all(enum uex_error err)
{
    return err == UEX_CANCELLED || err == UEX_NO_MEMORY || err == UEX_STORE_UNAVAILABLE ||
           uex_error_disposition(err) == UEX_DISPOSITION_OUTAGE;
}

static enum uex_error find_object(struct uex_verified *item, struct uex_object_store *store, const char *key,
                                  struct uex_fault *fault)
{
    struct uex_object_facts facts = {0};
    enum uex_error err = store->find(store, key, &facts, fault);

    if (err == UEX_OK && strcmp(facts.url, item->announced.file_path) != 0)
        uex_verify_fails(item, UEX_VERIFY_OBJECT, "%s was announced, in storage.url it is %s",
                         item->announced.file_path, facts.url);
    else if (err == UEX_OK && strcmp(facts.command_id, item->command_id) != 0)
        uex_verify_fails(item, UEX_VERIFY_OBJECT, "the object's metadata name %s",
                         facts.command_id[0] == 0 ? "no command" : "another command");
    else if (err == UEX_OK && facts.layout_id[0] != 0 && item->announced.layout[0] != 0 &&
             strcmp(facts.layout_id, item->announced.layout) != 0)
        uex_verify_fails(item, UEX_VERIFY_OBJECT, "the object's metadata have layout %s, the announcement %s",
                         facts.layout_id, item->announced.layout);
    else if (err == UEX_NOT_FOUND)
        uex_verify_fails(item, UEX_VERIFY_OBJECT, "no object %s in storage.url", key);
    else if (err != UEX_OK && !stops_all(err))
        uex_verify_fails(item, UEX_VERIFY_OBJECT, "%s (%s)", fault->text, uex_error_code(err));
    if (err == UEX_OK)
        snprintf(item->object.layout, sizeof(item->object.layout), "%s", facts.layout_id);
    uex_object_facts_clear(&facts);
    return err;
}

static void compare_bytes(struct uex_verified *item)
{
    if (strcmp(item->object.sha256, item->announced.sha256) != 0)
        uex_verify_fails(item, UEX_VERIFY_SHA256, "the object has sha256 %s, %s was announced", item->object.sha256,
                         item->announced.sha256[0] == 0 ? "none" : item->announced.sha256);
    if (item->object.bytes != item->announced.bytes)
        uex_verify_fails(item, UEX_VERIFY_BYTES, "the object has %" PRIu64 " bytes, the announcement %" PRIu64,
                         item->object.bytes, item->announced.bytes == UEX_UNKNOWN ? 0 : item->announced.bytes);
    uex_verify_holds(item, UEX_VERIFY_SHA256);
    uex_verify_holds(item, UEX_VERIFY_BYTES);
}

/* export.version_field may have been different when the file was written, so each of its three forms is valid. */
static bool is_header(const struct uex_layout *layout, const char *line, enum uex_version_field version, bool *starved)
{
    struct uex_buffer header = {0};
    bool is_same = false;

    uex_layout_write_header(layout, version, &header);
    *starved = *starved || uex_buffer_failed(&header);
    is_same = strlen(line) + 1 == header.size_bytes && strncmp(uex_buffer_text(&header), line, strlen(line)) == 0;
    uex_buffer_clear(&header);
    return is_same;
}

/* The columns are not those of today. */
static void judge_other_columns(struct uex_verified *item, const struct uex_layout *layout)
{
    const char *id = item->object.layout;

    if (id[0] != 0 && uex_layout_is_resolved(layout) && strcmp(id, layout->id) != 0)
        uex_verify_note(item, "another layout (%s) than today's (%s); its columns were not compared", id, layout->id);
    else if (id[0] == 0 && !layout->is_default)
        uex_verify_note(item, "it has no layout's id (version 1.0 wrote none); its columns were not compared");
    else
        uex_verify_fails(item, UEX_VERIFY_HEADER, "its columns are not those of export.columns%s",
                         id[0] == 0 || uex_layout_is_resolved(layout)
                             ? ""
                             : "; without the database (postgres.dsn) another layout cannot be told");
}

/* UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error compare_text(struct uex_verified *item, const struct uex_layout *layout,
                                   const struct uex_file_facts *facts)
{
    bool starved = false;
    bool is_right = is_header(layout, facts->header, UEX_VERSION_NONE, &starved) ||
                    (!facts->has_comment && is_header(layout, facts->header, UEX_VERSION_COLUMN, &starved));

    if (starved)
        return UEX_NO_MEMORY;
    if (is_right)
        uex_verify_holds(item, UEX_VERIFY_HEADER);
    else if (layout->column_count == 0)
        uex_verify_note(item, "export.columns is *, and the database did not say which; its columns were not compared");
    else if (facts->header[0] == 0)
        uex_verify_note(item, "its first row is too long; its columns were not compared");
    else
        judge_other_columns(item, layout);
    item->object.rows = facts->row_count;
    if (item->object.rows != item->announced.rows)
        uex_verify_fails(item, UEX_VERIFY_ROWS, "the object has %" PRIu64 " rows, the announcement %" PRIu64,
                         item->object.rows, item->announced.rows);
    uex_verify_holds(item, UEX_VERIFY_ROWS);
    return UEX_OK;
}

/* As announced; a format that was set meanwhile gives other names. */
static enum uex_format format_of(const struct uex_verified *item)
{
    const char *path = item->announced.file_path == NULL ? "" : item->announced.file_path;
    enum uex_format format = UEX_FORMAT_CSV;

    (void)uex_format_of_name(path, &format);
    return format;
}

static enum uex_error read_object(struct uex_verified *item, struct uex_object_store *store,
                                  const struct uex_layout *layout, const char *key, struct reading *reading,
                                  struct uex_fault *fault)
{
    struct uex_file_facts facts = {0};
    uint8_t sha256[UEX_SHA256_SIZE];
    enum uex_error err = store->read(store, key, (struct uex_sink){.write = take_bytes, .context = reading}, fault);

    if (err == UEX_OK)
        err = uex_digest_finish(reading->digest, sha256);
    if (err != UEX_OK && !stops_all(err))
        uex_verify_fails(item, UEX_VERIFY_OBJECT, "it cannot be read completely: %s (%s)", fault->text,
                         uex_error_code(err));
    if (err != UEX_OK)
        return err;
    uex_verify_holds(item, UEX_VERIFY_OBJECT);
    item->object.bytes = reading->size_bytes;
    uex_hex(sha256, sizeof(sha256), item->object.sha256);
    compare_bytes(item);
    if (reading->broken.error == UEX_OK &&
        uex_file_reader_finish(reading->reader, &facts, &reading->broken) == UEX_OK) {
        uex_verify_holds(item, UEX_VERIFY_GZIP);
        err = compare_text(item, layout, &facts);
    } else if (reading->broken.error == UEX_NO_MEMORY) {
        err = UEX_NO_MEMORY;
    } else {
        uex_verify_fails(item, UEX_VERIFY_GZIP, "%s", reading->broken.text);
    }
    return err;
}

enum uex_error uex_verify_object(struct uex_verified *item, struct uex_object_store *store,
                                 const struct uex_layout *layout, void (*heard)(void *context, uint64_t size_bytes),
                                 void *context, struct uex_fault *fault)
{
    struct reading reading = {
        .reader = uex_file_reader_new(format_of(item)), .digest = uex_digest_new(), .heard = heard, .context = context};
    struct uex_buffer key = {0};
    enum uex_error err = UEX_NO_MEMORY;

    uex_object_key(item->domain_id, item->group_id, item->command_id, uex_format_ending(format_of(item)), &key);
    if (reading.reader != NULL && reading.digest != NULL && !uex_buffer_failed(&key))
        err = find_object(item, store, uex_buffer_text(&key), fault);
    if (err == UEX_OK)
        err = read_object(item, store, layout, uex_buffer_text(&key), &reading, fault);
    uex_buffer_clear(&key);
    uex_digest_free(reading.digest);
    uex_file_reader_free(reading.reader);
    return err == UEX_OK || !stops_all(err) ? UEX_OK : err;
}
