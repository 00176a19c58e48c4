/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of a run: a second pass over a state topic of librdkafka's mock cluster into a directory. */
#include "unit/kafka/mock_cluster.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "export/command.h"
#include "export/group_state.h"
#include "run/manifest.h"
#include "run/outcomes.h"

#define TOPIC "export-group-state"
#define RUN "2026-11-22"
#define AT INT64_C(1795369800500)
#define OBJECT_MAX 65536

struct fixture {
    struct mock_cluster mock;
    char directory[64], url[96];
    struct uex_store_service *service;
    struct uex_run_members members;
    rd_kafka_t *producer;
    struct uex_run_manifest manifest;
    char text[OBJECT_MAX]; /* the manifest's lines */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct uex_fault fault = {0};
    rd_kafka_conf_t *conf = NULL;

    assert_non_null(fixture);
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_TEXT);
    mock_start(&fixture->mock);
    mock_create_topic(&fixture->mock, TOPIC, 1);
    fixture->mock.config.topics_state = (char *)TOPIC;
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/manifest_test.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->url, sizeof(fixture->url), "file://%s/store", fixture->directory);
    fixture->mock.config.storage_url = fixture->url;
    fixture->mock.config.export_domain_id = (char *)"";
    fixture->mock.config.export_compression_level = 1;
    assert_int_equal(uex_store_service_new(&fixture->mock.config, &fixture->service, &fault), UEX_OK);
    conf = uex_kafka_conf_new(&fixture->mock.config, UEX_KAFKA_PRODUCER, &fault);
    fixture->producer = uex_kafka_create(UEX_KAFKA_PRODUCER, conf, &fault);
    assert_non_null(fixture->producer);
    *state = fixture;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    uex_kafka_destroy(fixture->producer);
    uex_run_manifest_clear(&fixture->manifest);
    uex_run_members_clear(&fixture->members);
    uex_store_service_free(fixture->service);
    mock_stop(&fixture->mock);
    nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

/* Let the group have this outcome; `value` (may be NULL) gets its state. */
static void remember(struct uex_group_memory *memory, const char *group_id, const char *run_id,
                     enum uex_outcome_kind outcome, struct uex_buffer *value)
{
    char command_id[UEX_UUID_TEXT_SIZE];
    const struct uex_state_record record = {.group_id = group_id,
                                            .outcome = outcome,
                                            .command_id = command_id,
                                            .run_id = run_id,
                                            .at_ms = AT,
                                            .rows = 7,
                                            .bytes = 70,
                                            .snapshot_at_ms = AT,
                                            .duration_ms = UEX_NO_TIME,
                                            .attempts = 1,
                                            .next_attempt_at_ms = UEX_NO_TIME};

    uex_command_id_of_schedule(run_id, group_id, command_id);
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    if (value != NULL)
        uex_group_state_write(&record, memory, value);
}

/* The same, and put the state into the topic. */
static void put(struct fixture *fixture, struct uex_group_memory *memory, const char *group_id, const char *run_id,
                enum uex_outcome_kind outcome)
{
    struct uex_buffer value = {0};

    remember(memory, group_id, run_id, outcome, &value);
    assert_int_equal(rd_kafka_producev(fixture->producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_KEY(group_id, strlen(group_id)),
                                       RD_KAFKA_V_VALUE(value.data, value.size_bytes),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(fixture->producer, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    uex_buffer_clear(&value);
}

static void put_one(struct fixture *fixture, const char *group_id, const char *run_id, enum uex_outcome_kind outcome)
{
    struct uex_group_memory *memory = uex_group_memory_new();

    assert_non_null(memory);
    put(fixture, memory, group_id, run_id, outcome);
    uex_group_memory_free(memory);
}

static void add_member(struct fixture *fixture, const char *group_id, enum uex_outcome_kind outcome, int64_t offset)
{
    const struct uex_bytes id = uex_bytes_of_text(group_id);
    struct uex_run_member *member = NULL;

    assert_int_equal(uex_run_members_add(&fixture->members, id), UEX_OK);
    member = uex_run_members_find(&fixture->members, id);
    assert_non_null(member);
    member->outcome = (uint8_t)outcome;
    member->partition = 0;
    member->offset = offset;
    member->rows = 3;
}

static enum uex_error create(struct fixture *fixture, int64_t for_ms, struct uex_fault *fault)
{
    const struct uex_run_record run = {.run_id = (char *)(uintptr_t)RUN, .started_at_ms = AT};
    const struct uex_run_manifest_setup setup = {.config = &fixture->mock.config,
                                                 .service = fixture->service,
                                                 .run = &run,
                                                 .members = &fixture->members,
                                                 .until_ms = uex_monotonic_ms() + for_ms};

    *fault = (struct uex_fault){0};
    uex_run_manifest_clear(&fixture->manifest);
    return uex_run_manifest_create(&setup, &fixture->manifest, fault);
}

/* The lines of the object that the manifest names. */
static void read_object(struct fixture *fixture)
{
    gzFile object = NULL;
    int size = 0;

    assert_non_null(fixture->manifest.path);
    assert_int_equal(strncmp(fixture->manifest.path, "file://", 7), 0);
    object = gzopen(fixture->manifest.path + 7, "rb");
    assert_non_null(object);
    size = gzread(object, fixture->text, OBJECT_MAX - 1);
    assert_true(size >= 0);
    fixture->text[size] = 0;
    assert_int_equal(gzclose(object), Z_OK);
}

/* The line of a group; NULL: there is none. */
static const char *line_of(const struct fixture *fixture, const char *group_id)
{
    static char begin[128];

    snprintf(begin, sizeof(begin), "{\"groupId\":\"%s\",", group_id);
    return strstr(fixture->text, begin);
}

static void assert_in_line(const struct fixture *fixture, const char *group_id, const char *piece)
{
    const char *line = line_of(fixture, group_id), *found = line == NULL ? NULL : strstr(line, piece);

    assert_non_null(line);
    assert_non_null(found);
    assert_true(found < strchr(line, '\n'));
}

static void create__each_member__has_the_line_of_its_record(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;

    put_one(fixture, "a", RUN, UEX_OUTCOME_EXPORTED);
    put_one(fixture, "stranger", RUN, UEX_OUTCOME_EXPORTED);
    put_one(fixture, "b", RUN, UEX_OUTCOME_SKIPPED);
    put_one(fixture, "open", "2026-11-21", UEX_OUTCOME_EXPORTED);
    add_member(fixture, "a", UEX_OUTCOME_EXPORTED, 0);
    add_member(fixture, "b", UEX_OUTCOME_SKIPPED, 2);
    add_member(fixture, "open", UEX_OUTCOME_COUNT, -1);
    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
    read_object(fixture);
    assert_in_line(fixture, "a", "\"outcome\":\"exported\"");
    assert_in_line(fixture, "a", "\"rows\":7,\"bytes\":70,");
    assert_in_line(fixture, "b", "\"outcome\":\"skipped\"");
    assert_null(line_of(fixture, "stranger"));
    assert_null(line_of(fixture, "open"));
    assert_int_equal(fixture->manifest.line_count, 2);
    assert_int_equal(strlen(fixture->manifest.sha256), 64);
}

static void create__no_groups__is_an_empty_manifest(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;

    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
    read_object(fixture);
    assert_string_equal(fixture->text, "");
}

/* Compaction took the record away that the member was followed to; a later one of the same group is there. */
static void create__record_is_gone__line_comes_from_the_next_one(void **state)
{
    struct fixture *fixture = *state;
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_fault fault;
    char command_id[UEX_UUID_TEXT_SIZE];

    assert_non_null(memory);
    put_one(fixture, "other", RUN, UEX_OUTCOME_EXPORTED);
    remember(memory, "a", RUN, UEX_OUTCOME_EXPORTED, NULL);
    put(fixture, memory, "a", "by hand", UEX_OUTCOME_SKIPPED);
    uex_group_memory_free(memory);
    add_member(fixture, "a", UEX_OUTCOME_EXPORTED, 0);
    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
    read_object(fixture);
    uex_command_id_of_schedule(RUN, "a", command_id);
    assert_in_line(fixture, "a", command_id);
    assert_in_line(fixture, "a", "\"outcome\":\"exported\"");
    assert_in_line(fixture, "a", "\"rows\":7,\"bytes\":null");
}

/* Somebody has deleted the state since. */
static void create__state_is_gone__line_has_what_the_member_knows(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;

    put_one(fixture, "other", RUN, UEX_OUTCOME_EXPORTED);
    add_member(fixture, "a", UEX_OUTCOME_EXPORTED, 0);
    add_member(fixture, "never read", UEX_OUTCOME_SKIPPED, -1);
    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
    read_object(fixture);
    assert_in_line(fixture, "a", "\"outcome\":\"exported\",\"reason\":null,\"commandId\":null,");
    assert_in_line(fixture, "a", "\"rows\":3,\"bytes\":null");
    assert_in_line(fixture, "never read", "\"outcome\":\"skipped\"");
    assert_int_equal(fixture->manifest.line_count, 2);
}

static void create__twice__each_has_a_name_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    int64_t first_ms = 0;
    char *first = NULL;

    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
    first_ms = fixture->manifest.ended_at_ms;
    first = strdup(fixture->manifest.path);
    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
    assert_string_not_equal(first, fixture->manifest.path);
    assert_true(fixture->manifest.ended_at_ms / 1000 > first_ms / 1000);
    assert_int_equal(access(first + 7, F_OK), 0);
    free(first);
}

static void create__store_cannot_be_used__is_tried_until_the_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    char path[128];
    int fd = -1;

    /* A file stands where the directory has to be. */
    snprintf(path, sizeof(path), "%s/store", fixture->directory);
    fd = creat(path, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_not_equal(create(fixture, 250, &fault), UEX_OK);
    assert_true(fault.text[0] != 0);
    assert_null(fixture->manifest.path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(create(fixture, 0, &fault), UEX_OK);
}

static void create__cancelled__ends_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault = {0};
    struct uex_cancel cancel = {0};
    const struct uex_run_record run = {.run_id = (char *)(uintptr_t)RUN, .started_at_ms = AT};
    const struct uex_run_manifest_setup setup = {.config = &fixture->mock.config,
                                                 .service = fixture->service,
                                                 .run = &run,
                                                 .members = &fixture->members,
                                                 .until_ms = INT64_MAX,
                                                 .cancel = &cancel};

    put_one(fixture, "a", RUN, UEX_OUTCOME_EXPORTED);
    add_member(fixture, "a", UEX_OUTCOME_EXPORTED, 0);
    uex_cancel_request(&cancel);
    assert_int_equal(uex_run_manifest_create(&setup, &fixture->manifest, &fault), UEX_CANCELLED);
    assert_null(fixture->manifest.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(create__each_member__has_the_line_of_its_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(create__no_groups__is_an_empty_manifest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(create__record_is_gone__line_comes_from_the_next_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(create__state_is_gone__line_has_what_the_member_knows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(create__twice__each_has_a_name_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(create__store_cannot_be_used__is_tried_until_the_time_is_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(create__cancelled__ends_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
