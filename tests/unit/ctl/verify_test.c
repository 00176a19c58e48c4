/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/verify/verify.h"
#include "export/gzip.h"
#include "export/layout.h"
#include "store_open.h"

#define ID_1 "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define ID_2 "a0eebc99-9c0b-4ef8-bb6d-000000000002"
#define DOMAIN "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define LAYOUT_1 "0123456789abcdef"
#define LAYOUT_2 "fedcba9876543210"
#define AT INT64_C(1795369800500)

/* ---- what there is to verify */

static struct uex_state_record record_of(enum uex_outcome_kind outcome, const char *command_id, const char *run_id)
{
    return (struct uex_state_record){.group_id = "g",
                                     .outcome = outcome,
                                     .command_id = command_id,
                                     .run_id = run_id,
                                     .at_ms = AT,
                                     .rows = outcome == UEX_OUTCOME_EXPORTED ? 5 : UEX_UNKNOWN,
                                     .bytes = outcome == UEX_OUTCOME_EXPORTED ? 50 : UEX_UNKNOWN,
                                     .file_path = outcome == UEX_OUTCOME_EXPORTED ? "s3://b/f" : "",
                                     .layout = outcome == UEX_OUTCOME_EXPORTED ? LAYOUT_1 : NULL,
                                     .snapshot_at_ms = UEX_NO_TIME,
                                     .duration_ms = 1,
                                     .attempts = 1,
                                     .next_attempt_at_ms = UEX_NO_TIME};
}

/* Exported in r1 by command 1, then dead-lettered by command 2 in a run of the caller's. */
static void take_history_of(struct uex_state_set *set, const char *group_id, const char *second_run_id)
{
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_state_record first = record_of(UEX_OUTCOME_EXPORTED, ID_1, "r1");
    struct uex_state_record second = record_of(UEX_OUTCOME_DEAD_LETTERED, ID_2, second_run_id);
    struct uex_buffer out = {0};

    assert_int_equal(uex_group_memory_add(memory, &first), UEX_OK);
    assert_int_equal(uex_group_memory_add(memory, &second), UEX_OK);
    uex_group_state_write(&second, memory, &out);
    rd_kafka_message_t message = {
        .key = (void *)(uintptr_t)group_id, .key_len = strlen(group_id), .payload = out.data, .len = out.size_bytes};
    assert_int_equal(uex_state_set_take(set, &message), UEX_OK);
    uex_buffer_clear(&out);
    uex_group_memory_free(memory);
}

static void take_history(struct uex_state_set *set, const char *group_id)
{
    take_history_of(set, group_id, "r2");
}

static void find__named_groups__take_their_last_export(void **state)
{
    struct uex_verification verification = {0};
    struct uex_state_set set = {0};
    char *groups[] = {(char *)(uintptr_t) "g", (char *)(uintptr_t) "none", (char *)(uintptr_t) "g"};

    (void)state;
    take_history(&set, "g");
    assert_int_equal(uex_verify_find(&verification, &set, 3, groups), UEX_OK);
    assert_int_equal(verification.count, 2);
    assert_int_equal(verification.command_count, 1);
    assert_string_equal(verification.items[0].command_id, ID_1);
    assert_string_equal(verification.items[0].run_id, "r1");
    assert_true(verification.items[0].state.rows == 5 && verification.items[0].state.bytes == UEX_UNKNOWN);
    assert_string_equal(verification.items[0].state.file_path, "s3://b/f");
    assert_string_equal(verification.items[0].state.layout, LAYOUT_1);
    assert_true(uex_verified_is_good(&verification.items[0]));
    assert_false(uex_verified_is_good(&verification.items[1]));
    assert_non_null(strstr(uex_buffer_text(&verification.items[1].problems), "exportctl trigger"));
    uex_verification_clear(&verification);
    uex_state_set_clear(&set);
}

static void find__a_run__takes_what_was_exported_in_it(void **state)
{
    struct uex_verification first = {.run_id = "r1"}, second = {.run_id = "r2"}, named = {.run_id = "r2"};
    struct uex_state_set set = {0};
    char *groups[] = {(char *)(uintptr_t) "a"};

    (void)state;
    take_history(&set, "a");
    take_history(&set, "b");
    assert_int_equal(uex_verify_find(&first, &set, 0, NULL), UEX_OK);
    assert_int_equal(first.count, 2);
    assert_int_equal(first.command_count, 2);
    assert_int_equal(uex_verify_find(&second, &set, 0, NULL), UEX_OK);
    assert_int_equal(second.count, 0);
    assert_int_equal(second.other_counts[UEX_OUTCOME_DEAD_LETTERED], 2);
    assert_int_equal(uex_verify_find(&named, &set, 1, groups), UEX_OK);
    assert_int_equal(named.count, 1);
    assert_string_equal(uex_buffer_text(&named.items[0].problems), "dead-lettered in run r2\n");
    uex_verification_clear(&first);
    uex_verification_clear(&second);
    uex_verification_clear(&named);
    uex_state_set_clear(&set);
}

static void find__a_run_with_an_export_and_a_later_failure__takes_the_export(void **state)
{
    struct uex_verification run = {.run_id = "r1"};
    struct uex_state_set set = {0};

    (void)state;
    take_history_of(&set, "a", "r1");
    assert_int_equal(uex_verify_find(&run, &set, 0, NULL), UEX_OK);
    assert_int_equal(run.count, 1);
    assert_string_equal(run.items[0].command_id, ID_1);
    uex_verification_clear(&run);
    uex_state_set_clear(&set);
}

/* ---- announcements */

/* One record of a list, of `count` names, as the worker writes it; of version 1.0 without a layout (""). */
static void announce_as(struct uex_verified *item, int32_t partition, int64_t at_ms, const char *part,
                        const char *parts, const char *rows, unsigned count, const char *layout_id)
{
    struct uex_buffer value = {0};
    const struct uex_record_header headers[] = {
        {.name = "export-version", .value = uex_bytes_of_text(UEX_DEFAULT_VERSION)},
        {.name = "export-run-id", .value = uex_bytes_of_text("r1")},
        {.name = "export-row-count", .value = uex_bytes_of_text(rows)},
        {.name = "export-part", .value = uex_bytes_of_text(part)},
        {.name = "export-part-count", .value = uex_bytes_of_text(parts)},
        {.name = "export-layout", .value = uex_bytes_of_text(layout_id)},
    };
    struct uex_record record = {.partition = partition,
                                .timestamp_ms = at_ms,
                                .headers = headers,
                                .header_count = sizeof(headers) / sizeof(headers[0])};

    uex_buffer_append_text(&value, "{\"groupId\":\"g\",\"filePath\":null,\"fileName\":null,\"contentType\":null,"
                                   "\"domainId\":\"" DOMAIN "\",\"usernames\":[");
    for (unsigned i = 0; i < count; i++)
        uex_buffer_append_format(&value, "%s\"u%u\"", i == 0 ? "" : ",", i);
    uex_buffer_append_text(&value, "]}");
    record.value = uex_buffer_bytes(&value);
    assert_int_equal(uex_verify_add_record(item, &record), UEX_OK);
    uex_buffer_clear(&value);
}

static void announce(struct uex_verified *item, int32_t partition, int64_t at_ms, const char *part, const char *parts,
                     const char *rows, unsigned count)
{
    announce_as(item, partition, at_ms, part, parts, rows, count, "");
}

static struct uex_verified *new_list(void)
{
    struct uex_verified *item = calloc(1, sizeof(*item));

    item->group_id = (char *)(uintptr_t) "g";
    item->run_id = (char *)(uintptr_t) "r1";
    strcpy(item->command_id, ID_1);
    item->state = (struct uex_verify_facts){.rows = 4, .bytes = UEX_UNKNOWN};
    return item;
}

static void end_list(struct uex_verified *item, bool good)
{
    uex_verify_check_announcement(item);
    if (uex_verified_is_good(item) != good)
        print_message("%s\n", uex_buffer_text(&item->problems));
    assert_int_equal(uex_verified_is_good(item), good);
    free(item->parts_seen);
    free(item->announced.file_path);
    uex_buffer_clear(&item->problems);
    free(item);
}

static void announced__old_duplicate_again__newest_counts(void **state)
{
    struct uex_verified *item = new_list();

    (void)state;
    announce(item, 0, 1, "1", "2", "3", 2);
    announce(item, 0, 2, "2", "2", "3", 1);
    announce(item, 0, 9, "1", "1", "4", 4); /* exported anew: another snapshot, fewer parts */
    assert_int_equal(item->announcement_count, 2);
    end_list(item, true);
}

static void announced__beginning_of_an_older_one_not_read__newest_counts(void **state)
{
    struct uex_verified *item = new_list();

    (void)state;
    announce(item, 0, 2, "2", "2", "3", 1);
    announce(item, 0, 9, "1", "1", "4", 4);
    end_list(item, true);
}

static void announced__again_after_the_topic_has_grown__newest_counts(void **state)
{
    struct uex_verified *item = new_list();

    (void)state;
    announce(item, 3, 9, "1", "1", "4", 4); /* partitions are read side by side */
    announce(item, 0, 1, "1", "2", "3", 2);
    announce(item, 0, 2, "2", "2", "3", 1);
    end_list(item, true);
}

static void announced__again_but_a_part_is_missing_or_doubled__fails(void **state)
{
    struct uex_verified *missing = new_list(), *doubled = new_list();

    (void)state;
    announce(missing, 0, 1, "1", "1", "4", 4);
    announce(missing, 0, 9, "1", "2", "4", 2);
    end_list(missing, false);
    announce(doubled, 0, 1, "1", "2", "4", 2);
    announce(doubled, 0, 2, "1", "2", "4", 2);
    announce(doubled, 0, 3, "2", "2", "4", 0);
    end_list(doubled, false);
}

static void announced__layout__is_compared_with_the_state_where_both_have_one(void **state)
{
    static const struct {
        const char *state, *announced;
        bool good;
    } cases[] = {{LAYOUT_1, LAYOUT_1, true}, {LAYOUT_1, LAYOUT_2, false}, {"", LAYOUT_1, true}, {LAYOUT_1, "", true}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_verified *item = new_list();

        strcpy(item->state.layout, cases[i].state);
        announce_as(item, 0, 1, "1", "1", "4", 4, cases[i].announced);
        end_list(item, cases[i].good);
    }
}

static void announced__parts_of_two_layouts__fails(void **state)
{
    struct uex_verified *item = new_list();

    (void)state;
    announce_as(item, 0, 1, "1", "2", "4", 2, LAYOUT_1);
    announce_as(item, 0, 2, "2", "2", "4", 2, LAYOUT_2);
    end_list(item, false);
}

/* ---- objects, in a folder */

static struct uex_config layout_config;
static struct uex_layout *layout;   /* of the defaults */
static struct uex_layout *resolved; /* the same, with the types of a view */

static int make_layout(void **state)
{
    struct uex_view_column columns[UEX_LAYOUT_COLUMNS_MAX];

    (void)state;
    if (uex_layout_new(&layout_config, &layout, NULL) != UEX_OK)
        return -1;
    for (size_t i = 0; i < layout->column_count; i++)
        columns[i] = (struct uex_view_column){
            .name = layout->columns[i].view_name, .kind = layout->columns[i].kind, .type_text = "x"};
    return uex_layout_resolve(layout, "view", columns, layout->column_count, &resolved, NULL) == UEX_OK ? 0 : -1;
}

static int free_layout(void **state)
{
    (void)state;
    uex_layout_free(layout);
    uex_layout_free(resolved);
    return 0;
}

struct stored {
    char folder[64], url[96];
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
    struct uex_verified item;
    uint64_t heard_bytes;
};

static enum uex_error append_bytes(void *context, struct uex_bytes data)
{
    uex_buffer_append(context, data.data, data.size_bytes);
    return UEX_OK;
}

static void append_member(struct uex_buffer *object, const char *text)
{
    struct uex_gzip *gzip = uex_gzip_new(1, NULL);

    uex_gzip_begin(gzip, (struct uex_sink){.write = append_bytes, .context = object});
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of_text(text)), UEX_OK);
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    uex_gzip_free(gzip);
}

static int make_store(void **state)
{
    struct stored *stored = calloc(1, sizeof(*stored));
    struct uex_fault fault = {0};

    strcpy(stored->folder, "/tmp/verify-test-XXXXXX");
    assert_non_null(mkdtemp(stored->folder));
    snprintf(stored->url, sizeof(stored->url), "file://%s/o", stored->folder);
    stored->config = (struct uex_config){.storage_url = stored->url, .s3_stall_timeout_ms = 5000};
    if (store_open(&stored->config, &stored->service, &stored->store, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    assert_int_equal(stored->store->prepare(stored->store, &fault), UEX_OK);
    *state = stored;
    return 0;
}

static int remove_store(void **state)
{
    struct stored *stored = *state;
    char command[96];

    store_close(stored->service, stored->store);
    snprintf(command, sizeof(command), "rm -r %s", stored->folder);
    assert_int_equal(system(command), 0);
    free(stored);
    return 0;
}

/* Store an object with the layout's id ("": of version 1.0), and an item that was announced as it is. */
static void store_object_of(struct stored *stored, struct uex_buffer *object, uint64_t row_count, const char *layout_id)
{
    struct uex_object_tags tags = {.command_id = ID_1, .snapshot_at_ms = AT};
    struct uex_object_writer *writer = NULL;
    struct uex_object_facts facts = {0};
    struct uex_buffer key = {0};
    uint8_t sha256[UEX_SHA256_SIZE];

    strcpy(tags.layout_id, layout_id);
    uex_object_key(DOMAIN, "g", ID_1, ".csv.gz", &key);
    assert_int_equal(stored->store->begin(stored->store, uex_buffer_text(&key), &writer, NULL), UEX_OK);
    stored->store->set_tags(writer, &tags);
    assert_int_equal(stored->store->write(writer, uex_buffer_bytes(object), NULL), UEX_OK);
    assert_int_equal(stored->store->commit(writer, row_count, &facts, NULL), UEX_OK);
    stored->item = (struct uex_verified){.group_id = (char *)(uintptr_t) "g", .command_id = ID_1, .domain_id = DOMAIN};
    stored->item.announced =
        (struct uex_verify_facts){.rows = row_count, .bytes = object->size_bytes, .file_path = strdup(facts.url)};
    uex_sha256(uex_buffer_bytes(object), sha256);
    uex_hex(sha256, sizeof(sha256), stored->item.announced.sha256);
    uex_object_facts_clear(&facts);
    strcpy(stored->item.announced.layout, layout_id);
    uex_buffer_clear(&key);
    uex_buffer_clear(object);
}

static void store_object(struct stored *stored, struct uex_buffer *object, uint64_t row_count)
{
    store_object_of(stored, object, row_count, "");
}

static void heard(void *context, uint64_t size_bytes)
{
    ((struct stored *)context)->heard_bytes = size_bytes;
}

/* Which checks fail with this layout of today, by their places as bits. `item.notes` is the caller's. */
static unsigned failing_with(struct stored *stored, const struct uex_layout *today)
{
    struct uex_fault fault = {0};
    unsigned bits = 0;

    if (uex_verify_object(&stored->item, stored->store, today, heard, stored, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    for (unsigned i = 0; i < UEX_VERIFY_COUNT; i++)
        bits |= (unsigned)(stored->item.verdicts[i] == UEX_VERDICT_FAILS) << i;
    free(stored->item.announced.file_path);
    uex_buffer_clear(&stored->item.problems);
    return bits;
}

static unsigned failing(struct stored *stored)
{
    return failing_with(stored, layout);
}

#define BIT(check_) (1U << UEX_VERIFY_##check_)

static void append_header(struct uex_buffer *text, enum uex_version_field version)
{
    uex_layout_write_header(layout, version, text);
    uex_buffer_append_text(text, "u-1\n\"u\n2\"\n");
}

static void object__as_announced__holds_in_all_three_forms(void **state)
{
    static const enum uex_version_field versions[] = {UEX_VERSION_NONE, UEX_VERSION_COMMENT, UEX_VERSION_COLUMN};
    struct stored *stored = *state;
    struct uex_buffer text = {0}, object = {0};

    for (size_t i = 0; i < 3; i++) {
        uex_buffer_reset(&text);
        append_header(&text, versions[i]);
        append_member(&object, uex_buffer_text(&text));
        store_object(stored, &object, 2);
        assert_int_equal(failing(stored), 0);
        assert_int_equal(stored->item.verdicts[UEX_VERIFY_GZIP], UEX_VERDICT_HOLDS);
        assert_int_equal(stored->item.verdicts[UEX_VERIFY_HEADER], UEX_VERDICT_HOLDS);
        assert_true(stored->heard_bytes == stored->item.object.bytes && stored->item.object.rows == 2);
        uex_buffer_reset(&object);
        uex_object_key(DOMAIN, "g", ID_1, ".csv.gz", &object);
        assert_int_equal(stored->store->remove(stored->store, uex_buffer_text(&object), NULL), UEX_OK);
        uex_buffer_reset(&object);
    }
    uex_buffer_clear(&text);
    uex_buffer_clear(&object);
}

static void object__other_than_announced__fails_where_it_differs(void **state)
{
    struct stored *stored = *state;
    struct uex_buffer text = {0}, object = {0};

    append_header(&text, UEX_VERSION_COLUMN);
    append_member(&object, uex_buffer_text(&text));
    store_object(stored, &object, 2);
    stored->item.announced.rows = 3;
    stored->item.announced.bytes--;
    stored->item.announced.sha256[0] ^= 1;
    assert_int_equal(failing(stored), BIT(ROWS) | BIT(BYTES) | BIT(SHA256));
    uex_buffer_clear(&text);
}

static void object__no_gzip_or_two_members__fails(void **state)
{
    struct stored *stored = *state;
    struct uex_buffer text = {0}, object = {0};

    append_header(&text, UEX_VERSION_COLUMN);
    append_member(&object, uex_buffer_text(&text));
    append_member(&object, "u-3\n");
    store_object(stored, &object, 3);
    assert_int_equal(failing(stored), BIT(GZIP)); /* digest and bytes are as announced */
    uex_buffer_clear(&text);
}

static void object__other_columns__fails(void **state)
{
    struct stored *stored = *state;
    struct uex_buffer object = {0};

    append_member(&object, "username,groupId\nu-1,g\n");
    store_object(stored, &object, 1);
    assert_int_equal(failing(stored), BIT(HEADER));
}

/* The name of one column differs from today's. */
static void object__other_columns__fail_only_under_the_layout_of_today(void **state)
{
    struct uex_config other_config = {.export_columns = (char *)(uintptr_t) "username,bio"};
    struct uex_config all_config = {.export_columns = (char *)(uintptr_t) "*"};
    struct uex_layout *other = NULL, *all = NULL;
    const struct {
        struct uex_layout *const *today;
        const char *object_layout;
        bool is_open;
    } cases[] = {
        {&resolved, LAYOUT_1, true},      /* exported with another layout */
        {&resolved, resolved->id, false}, /* it says that it has these columns */
        {&resolved, "", false},           /* of version 1.0, which knew only these */
        {&layout, LAYOUT_1, false},       /* without the database */
        {&other, "", true},               /* of version 1.0, and others are set */
        {&all, LAYOUT_1, true},           /* `*`, without the database */
    };
    struct stored *stored = *state;

    assert_int_equal(uex_layout_new(&other_config, &other, NULL), UEX_OK);
    assert_int_equal(uex_layout_new(&all_config, &all, NULL), UEX_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer object = {0};

        append_member(&object, "username,groupId\nu-1,g\n");
        store_object_of(stored, &object, 1, cases[i].object_layout);
        assert_int_equal(failing_with(stored, *cases[i].today), cases[i].is_open ? 0 : BIT(HEADER));
        assert_int_equal(stored->item.verdicts[UEX_VERIFY_HEADER],
                         cases[i].is_open ? UEX_VERDICT_OPEN : UEX_VERDICT_FAILS);
        assert_int_equal(stored->item.notes.size_bytes > 0, cases[i].is_open);
        if (i == 0)
            assert_non_null(strstr(uex_buffer_text(&stored->item.notes), "another layout (" LAYOUT_1 ") than today's"));
        uex_buffer_clear(&stored->item.notes);
        uex_object_key(DOMAIN, "g", ID_1, ".csv.gz", &object);
        assert_int_equal(stored->store->remove(stored->store, uex_buffer_text(&object), NULL), UEX_OK);
        uex_buffer_clear(&object);
    }
    uex_layout_free(other);
    uex_layout_free(all);
}

static void object__metadata_with_another_layout_than_announced__fails(void **state)
{
    struct stored *stored = *state;
    struct uex_buffer text = {0}, object = {0};

    append_header(&text, UEX_VERSION_COLUMN);
    append_member(&object, uex_buffer_text(&text));
    store_object_of(stored, &object, 2, LAYOUT_1);
    strcpy(stored->item.announced.layout, LAYOUT_2);
    assert_int_equal(failing(stored), BIT(OBJECT));
    uex_buffer_clear(&text);
}

static void object__not_there_or_elsewhere__fails(void **state)
{
    struct stored *stored = *state;
    struct uex_buffer text = {0}, object = {0};

    append_header(&text, UEX_VERSION_COLUMN);
    append_member(&object, uex_buffer_text(&text));
    store_object(stored, &object, 2);
    free(stored->item.announced.file_path);
    stored->item.announced.file_path = strdup("s3://other/bucket");
    assert_int_equal(failing(stored), BIT(OBJECT));
    stored->item = (struct uex_verified){.group_id = (char *)(uintptr_t) "g", .command_id = ID_2, .domain_id = DOMAIN};
    stored->item.announced.file_path = strdup("file:///x");
    assert_int_equal(failing(stored), BIT(OBJECT));
    uex_buffer_clear(&text);
}

int main(void)
{
#define STORED(test_) cmocka_unit_test_setup_teardown(test_, make_store, remove_store)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__named_groups__take_their_last_export),
        cmocka_unit_test(find__a_run__takes_what_was_exported_in_it),
        cmocka_unit_test(find__a_run_with_an_export_and_a_later_failure__takes_the_export),
        cmocka_unit_test(announced__old_duplicate_again__newest_counts),
        cmocka_unit_test(announced__beginning_of_an_older_one_not_read__newest_counts),
        cmocka_unit_test(announced__again_after_the_topic_has_grown__newest_counts),
        cmocka_unit_test(announced__again_but_a_part_is_missing_or_doubled__fails),
        cmocka_unit_test(announced__layout__is_compared_with_the_state_where_both_have_one),
        cmocka_unit_test(announced__parts_of_two_layouts__fails),
        STORED(object__as_announced__holds_in_all_three_forms),
        STORED(object__other_than_announced__fails_where_it_differs),
        STORED(object__no_gzip_or_two_members__fails),
        STORED(object__other_columns__fails),
        STORED(object__other_columns__fail_only_under_the_layout_of_today),
        STORED(object__metadata_with_another_layout_than_announced__fails),
        STORED(object__not_there_or_elsewhere__fails),
    };

    return cmocka_run_group_tests(tests, make_layout, free_layout);
}
