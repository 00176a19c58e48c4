/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a transaction, and what does not; which records an outcome has, and what its committed offsets say. */
#include "engine_fixture.h"
#include "failing_memory.h"

#define ID_FORMAT "0123abcd-0000-4000-8000-%012lld"
#define DOMAIN_ID "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define MIB ((size_t)1 << 20)
#define MANY 510 /* more than one transaction takes */

static struct uex_batch batch;

/* One partition, restored; the broker has a crash marker that lets commands start. */
static int open_engine(void **state)
{
    (void)fixture_open(state);
    fixture_begin_at(1, "uex1;n=1");
    for (size_t i = 0; i < world.engine.input_topic_count; i++)
        world.engine.synced.partitions[0].inputs[i].committed_until = 10000;
    return 0;
}

static int close_engine(void **state)
{
    uex_batch_clear(&batch);
    return fixture_close(state);
}

static struct uex_input *input(size_t input_topic)
{
    return &world.engine.synced.partitions[0].inputs[input_topic];
}

static bool collect(size_t most)
{
    bool has_something = false;

    uex_engine_lock(&world.engine);
    has_something = uex_batch_collect_synced(&world.engine, most, &batch);
    uex_engine_unlock(&world.engine);
    return has_something;
}

/* The record is read, and a worker thread runs its command. */
static struct uex_inflight *run(struct uex_record *record)
{
    struct uex_inflight *taken = NULL;

    fixture_fetch(record);
    fixture_intake();
    taken = fixture_take();
    assert_non_null(taken);
    return taken;
}

/* A command of a group, with an id of its own, that a worker thread runs. */
static struct uex_inflight *running(const char *group, int64_t offset)
{
    char value[128];

    (void)snprintf(value, sizeof(value), "{\"groupId\":\"%s\",\"commandId\":\"" ID_FORMAT "\",\"runId\":\"night\"}",
                   group, (long long)offset);
    return run(fixture_record(COMMANDS, 0, offset, group, value));
}

/* The same, and its job has ended: skipped as empty. */
static struct uex_inflight *ended(const char *group, int64_t offset)
{
    struct uex_inflight *inflight = running(group, offset);

    fixture_finish(inflight, UEX_OK);
    return inflight;
}

/* The same, with a list of that many bytes. */
static struct uex_inflight *ended_list(const char *group, int64_t offset, size_t bytes)
{
    struct uex_inflight *inflight = running(group, offset);

    fixture_finish_list(inflight, 1, bytes);
    return inflight;
}

/* As a restore would, after another owner has exported the command. */
static void know(const char *group, const char *command_id)
{
    struct uex_group_entry *entry = uex_group_table_get(&world.engine.synced.in_flight.groups, group);
    const struct uex_state_record record = {.group_id = group,
                                            .outcome = UEX_OUTCOME_EXPORTED,
                                            .command_id = command_id,
                                            .run_id = "",
                                            .at_ms = 1,
                                            .snapshot_at_ms = UEX_NO_TIME,
                                            .duration_ms = UEX_NO_TIME,
                                            .next_attempt_at_ms = UEX_NO_TIME};

    if (entry->memory == NULL)
        entry->memory = uex_group_memory_new();
    assert_int_equal(uex_group_memory_add(entry->memory, &record), UEX_OK);
}

/* The committed offset that goes with the batch for a topic; NULL: none. */
static const struct uex_batch_offset *offset_in_batch(size_t input_topic)
{
    for (size_t i = 0; i < batch.offset_count; i++) {
        if (batch.offsets[i].input_topic == input_topic)
            return &batch.offsets[i];
    }
    return NULL;
}

/* ---- which outcomes */

static void collect__nothing_waits__is_nothing(void **state)
{
    (void)state;
    assert_false(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 0);
    assert_int_equal(batch.offset_count, 0);
}

static void collect__outcome__is_taken_out_with_its_offset_and_epoch(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    inflight->refused_code = 1; /* of a transaction before */
    inflight->verdict = UEX_VERDICT_REDO;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], inflight);
    assert_int_equal(inflight->state, UEX_INFLIGHT_COMMITTING);
    assert_int_equal(inflight->refused_code, 0);
    assert_int_equal(inflight->verdict, UEX_VERDICT_NONE);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_int_equal(batch.epoch, world.engine.synced.epoch);
    assert_ptr_equal(batch.metadata, world.engine.synced.group_metadata);
    assert_true(uex_window_finished(&batch.offsets[0].window, 7));
    assert_false(uex_window_finished(&input(0)->window, 7)); /* not before it is committed */
}

static void collect__id_became_known_after_the_job_began__is_a_duplicate(void **state)
{
    struct uex_inflight *inflight = ended_list("g", 7, 10);

    (void)state;
    know("g", inflight->command.command_id);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_SKIPPED);
    assert_int_equal(inflight->outcome.skip, UEX_SKIP_DUPLICATE);
    assert_true(inflight->outcome.keeps_no_state);
    assert_null(inflight->outcome.job.lists);
    assert_true(uex_window_finished(&batch.offsets[0].window, 7));
}

static void collect__another_id_is_known_of_the_group__stays_as_it_is(void **state)
{
    struct uex_inflight *inflight = ended_list("g", 7, 10);

    (void)state;
    know("g", "0123abcd-0000-4000-8000-00000000ffff");
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    assert_true(uex_group_memory_is_duplicate(inflight->outcome.memory, inflight->command.command_id));
    assert_true(uex_group_memory_is_duplicate(inflight->outcome.memory, "0123abcd-0000-4000-8000-00000000ffff"));
}

static void collect__outcome_of_an_older_epoch__stays_where_it_is(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    inflight->epoch = world.engine.synced.epoch - 1;
    (void)collect(UEX_BATCH_MAX);
    assert_int_equal(batch.count, 0);
    assert_ptr_equal(world.engine.synced.outbox.first, inflight);
}

static void collect__partition_not_restored__outcome_waits_for_the_history_of_its_group(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    world.engine.synced.partitions[0].restored = false;
    (void)collect(UEX_BATCH_MAX);
    assert_int_equal(batch.count, 0);
    inflight->outcome.keeps_no_state = true;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.offsets[0].markers.partition_count, 0); /* the next owner reads all of the state topic */
}

/* Without any offset there is nothing that could say that it alone is finished. */
static void collect__nothing_committed_and_nothing_read_yet__adopted_outcome_waits(void **state)
{
    struct uex_inflight *inflight = NULL;
    struct uex_record *records[2];

    (void)fixture_close(state);
    (void)fixture_open(state);
    records[0] = fixture_record(COMMANDS, 0, 5, "g", NULL);
    records[1] = fixture_record(COMMANDS, 0, 5, "g", NULL); /* the same, read again */
    fixture_assign(0, 1);                                   /* the group has committed nothing */
    fixture_restore();
    input(0)->committed_until = 10000;
    inflight = run(records[0]);
    fixture_revoke();
    fixture_assign(0, 1);
    fixture_restore();
    assert_int_equal(world.adopted, 1);
    fixture_finish(inflight, UEX_OK);
    assert_false(collect(UEX_BATCH_MAX));
    fixture_fetch(records[1]);
    fixture_intake();
    assert_int_equal(world.engine.synced.in_flight.count, 1); /* it is known */
    assert_true(collect(UEX_BATCH_MAX));
    assert_ptr_equal(batch.commands[0], inflight);
    assert_int_equal(batch.offsets[0].window.base, 6);
}

static void collect__one_that_was_refused__goes_by_itself_and_is_not_joined(void **state)
{
    struct uex_inflight *guilty = ended("a", 1);
    struct uex_inflight *other = ended("b", 2);

    (void)state;
    guilty->commit_by_itself = true;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], guilty);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], other);
}

static void collect__refused_one_behind_others__is_left_for_the_next(void **state)
{
    struct uex_inflight *other = ended("a", 1);
    struct uex_inflight *guilty = ended("b", 2);
    struct uex_inflight *last = ended("c", 3);

    (void)state;
    guilty->commit_by_itself = true;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 2);
    assert_ptr_equal(batch.commands[0], other);
    assert_ptr_equal(batch.commands[1], last);
    assert_true(collect(UEX_BATCH_MAX));
    assert_ptr_equal(batch.commands[0], guilty);
}

/* What else is committed with it could be what is refused. */
static void collect__goes_by_itself__takes_no_other_partitions_offset_along(void **state)
{
    struct uex_inflight *guilty = ended("a", 1);

    (void)state;
    guilty->commit_by_itself = true;
    input(1)->starts_dirty = true;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.offset_count, 1);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 0);
    assert_non_null(offset_in_batch(1));
}

static void collect__tried_again_later__lets_others_go_first(void **state)
{
    struct uex_inflight *later = ended("a", 1);
    struct uex_inflight *other = ended("b", 2);

    (void)state;
    later->not_before_ms = world.now_ms + 30000;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], other);
    world.now_ms += 30000;
    assert_true(collect(UEX_BATCH_MAX));
    assert_ptr_equal(batch.commands[0], later);
}

/* Its topic was created again: there is no such command any more. */
static void collect__cancelled_outcome__is_dropped(void **state)
{
    struct uex_inflight *gone = ended("a", 1);
    struct uex_inflight *other = ended("b", 2);

    (void)state;
    uex_cancel_request(&gone->cancel);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], other);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_false(uex_window_finished(&batch.offsets[0].window, 1));
}

/* ---- how many */

static void collect__more_than_the_rate_allows__is_bounded(void **state)
{
    (void)state;
    (void)ended("a", 1);
    (void)ended("b", 2);
    (void)ended("c", 3);
    assert_true(collect(2));
    assert_int_equal(batch.count, 2);
    assert_int_equal(world.engine.synced.outbox.count, 1);
}

static void collect__more_than_500__the_rest_is_for_the_next(void **state)
{
    (void)state;
    uex_engine_lock(&world.engine);
    for (int64_t offset = 0; offset < MANY; offset++) {
        struct uex_inflight *inflight = uex_inflight_new(fixture_record(COMMANDS, 0, offset, "d", NULL), 0);

        uex_policy_duplicate(inflight);
        uex_window_see(&input(0)->window, offset);
        uex_dispatch_add_synced(&world.engine, inflight);
        uex_dispatch_submit_synced(&world.engine, inflight);
    }
    uex_engine_unlock(&world.engine);
    assert_true(collect(MANY));
    assert_int_equal(batch.count, UEX_BATCH_MAX);
    assert_int_equal(world.engine.synced.outbox.count, MANY - UEX_BATCH_MAX);
    assert_int_equal(batch.offsets[0].window.base, UEX_BATCH_MAX);
}

/* Its transaction takes long, others need not wait for it. */
static void collect__list_of_more_than_2_mib__goes_by_itself(void **state)
{
    struct uex_inflight *list = ended_list("a", 1, 2 * MIB + 1);
    struct uex_inflight *other = ended("b", 2);

    (void)state;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], list);
    assert_true(collect(UEX_BATCH_MAX));
    assert_ptr_equal(batch.commands[0], other);
}

static void collect__list_of_2_mib__goes_with_others(void **state)
{
    (void)state;
    (void)ended_list("a", 1, 2 * MIB);
    (void)ended("b", 2);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 2);
}

/* librdkafka copies them. */
static void collect__lists_of_more_than_4_mib_together__the_rest_is_for_the_next(void **state)
{
    struct uex_inflight *third = NULL, *small = NULL;

    (void)state;
    (void)ended_list("a", 1, 2 * MIB - 10);
    (void)ended_list("b", 2, 2 * MIB - 10);
    third = ended_list("c", 3, MIB);
    small = ended_list("d", 4, 20);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 3);
    assert_ptr_equal(batch.commands[2], small); /* it still fits */
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], third);
}

static void collect__no_memory__outcome_waits_for_the_next_time(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);
    size_t failing = 0;

    (void)state;
    do {
        uex_engine_lock(&world.engine);
        uex_torture_from(++failing);
        (void)uex_batch_collect_synced(&world.engine, UEX_BATCH_MAX, &batch);
        uex_torture_count(false);
        uex_engine_unlock(&world.engine);
        if (batch.count == 0)
            assert_ptr_equal(world.engine.synced.outbox.first, inflight);
    } while (batch.count == 0 && failing < 50);
    assert_true(failing > 2);
    assert_int_equal(batch.count, 1);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
}

/* ---- offsets without an outcome */

/* The intake learns that the partition of the command topic ends there. */
static void reach_end(int64_t offset)
{
    fixture_fetch_end(COMMANDS, 0, offset);
    fixture_intake();
}

/* A lag that never goes to 0 would look like a worker that stands. */
static void collect__only_transaction_markers_are_left__offset_moves_to_the_end(void **state)
{
    (void)state;
    reach_end(5);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 0);
    assert_int_equal(batch.offset_count, 1);
    assert_int_equal(batch.offsets[0].window.base, 5);
    input(0)->committed_base = 5;
    assert_false(collect(UEX_BATCH_MAX));
}

static void collect__command_before_the_end_is_unfinished__offset_stays(void **state)
{
    (void)state;
    (void)running("g", 2);
    reach_end(5);
    assert_false(collect(UEX_BATCH_MAX));
}

static void collect__end_of_a_partition_that_is_not_restored__offset_stays(void **state)
{
    (void)state;
    reach_end(5);
    world.engine.synced.partitions[0].restored = false;
    assert_false(collect(UEX_BATCH_MAX));
}

/* Its offsets are another worker's. */
static void collect__partition_is_not_assigned__no_offset_of_it(void **state)
{
    (void)state;
    reach_end(5);
    input(0)->assigned = false;
    input(0)->starts_dirty = true;
    assert_false(collect(UEX_BATCH_MAX));
}

static void collect__crash_markers_have_changed__are_committed_with_whatever_is_committed(void **state)
{
    (void)state;
    (void)ended("g", 0);
    input(1)->starts_dirty = true;
    input(1)->refused_from = 3;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.offset_count, 2);
    assert_int_equal(offset_in_batch(1)->markers.open_until, 3 + 1 + 16);
}

static void offsets__batch__have_base_and_metadata_of_each_input_partition(void **state)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    const rd_kafka_topic_partition_t *place = NULL;
    struct uex_window window;
    struct uex_markers markers;

    (void)state;
    (void)ended("a", 0);
    (void)running("b", 1);
    (void)ended("c", 2);
    fixture_finish(run(fixture_retry(0, 4, "r", STARTED_WALL_MS)), UEX_OK);
    assert_true(collect(UEX_BATCH_MAX));
    list = uex_batch_offsets(&world.engine, &batch);
    assert_int_equal(list->cnt, 2);
    place = rd_kafka_topic_partition_list_find(list, COMMANDS, 0);
    assert_int_equal(place->offset, 1);
    uex_window_restore(&window, place->offset, uex_bytes_of(place->metadata, place->metadata_size), &markers);
    assert_false(uex_window_finished(&window, 1));
    assert_true(uex_window_finished(&window, 2));
    assert_int_equal(markers.partition_count, 1);
    assert_true(markers.open_until > 2);
    assert_int_equal(rd_kafka_topic_partition_list_find(list, RETRIES, 0)->offset, 5);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Of what follows only this allocation fails; 0: none. */
static void fail_allocation(size_t number)
{
    uex_torture.count = 0;
    uex_torture.failing = number;
    uex_torture.from_then_on = false;
    uex_torture_count(true);
}

/* librdkafka ends the process where it has no memory itself: only the last allocation, which is ours, fails here. */
static void offsets__no_memory_for_the_metadata__are_none(void **state)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    size_t last = 0;

    (void)state;
    (void)ended("a", 0);
    (void)running("b", 1);
    (void)ended("c", 2);
    assert_true(collect(UEX_BATCH_MAX));
    fail_allocation(0);
    list = uex_batch_offsets(&world.engine, &batch);
    uex_torture_count(false);
    last = uex_torture.count;
    assert_non_null(list);
    rd_kafka_topic_partition_list_destroy(list);
    fail_allocation(last);
    list = uex_batch_offsets(&world.engine, &batch);
    uex_torture_count(false);
    assert_null(list);
}

/* ---- records */

/* The first command of the batch sends its records; how many there are. */
static size_t produce(void)
{
    struct uex_fault fault = {0};

    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 1);
    assert_int_equal(uex_batch_produce(&world.engine, &world.engine.transaction, batch.commands[0], &fault), UEX_OK);
    return world.produced_count;
}

static bool has_header(size_t record, const char *name, const char *text)
{
    const char *header = fixture_header(&world.produced[record], name);

    return header != NULL && strcmp(header, text) == 0;
}

/* A big-endian header. */
static int64_t number_in(size_t record, const char *name)
{
    const void *value = NULL;
    size_t size_bytes = 0;
    uint64_t number = 0;

    assert_int_equal(rd_kafka_header_get_last(world.produced[record].headers, name, &value, &size_bytes),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    for (size_t i = 0; i < size_bytes; i++)
        number = number << 8 | ((const uint8_t *)value)[i];
    return (int64_t)number;
}

static void produce__list__is_its_parts_in_order_and_the_state(void **state)
{
    static const char *const parts[] = {"1/3", "2/3", "3/3"};
    struct uex_inflight *inflight = running("g", 7);
    char number[8];

    (void)state;
    fixture_finish_list(inflight, 3, 4);
    assert_int_equal(produce(), 4);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(world.produced[i].topic, "results");
        assert_string_equal(world.produced[i].key, "g");
        assert_int_equal(world.produced[i].partition, RD_KAFKA_PARTITION_UA);
        assert_int_equal(world.produced[i].value_bytes, 4);
        assert_int_equal(world.produced[i].value[0], parts[i][0]);
        (void)snprintf(number, sizeof(number), "%zu", i + 1);
        assert_true(has_header(i, UEX_HEADER_PART, number));
        assert_true(has_header(i, UEX_HEADER_PART_COUNT, "3"));
        assert_true(has_header(i, UEX_HEADER_RUN_ID, "night"));
        assert_true(has_header(i, UEX_HEADER_COMMAND_ID, inflight->command.command_id));
        assert_ptr_equal(world.produced[i].inflight, inflight);
    }
    assert_string_equal(world.produced[3].topic, STATES);
    assert_string_equal(world.produced[3].key, "g");
    assert_int_equal(world.produced[3].partition, 0);
    assert_non_null(strstr(world.produced[3].value, "\"outcome\":\"exported\""));
}

static void produce__file__is_one_message_with_its_place_and_digest(void **state)
{
    struct uex_inflight *inflight = running("g", 7);
    struct uex_job_outcome job = {.row_count = 3,
                                  .object = {.url = strdup("s3://b/k"), .size_bytes = 99, .has_sha256 = true}};

    (void)state;
    uex_engine_finish(&world.engine, inflight, &job);
    assert_int_equal(produce(), 2);
    assert_non_null(strstr(world.produced[0].value, "s3://b/k"));
    assert_true(has_header(0, UEX_HEADER_PART_COUNT, "1"));
    assert_true(has_header(0, UEX_HEADER_BYTE_COUNT, "99"));
    assert_non_null(fixture_header(&world.produced[0], UEX_HEADER_SHA256));
    assert_non_null(strstr(world.produced[1].value, "s3://b/k"));
}

static void produce__skipped__is_a_state_alone(void **state)
{
    (void)state;
    (void)ended("g", 7);
    assert_int_equal(produce(), 1);
    assert_string_equal(world.produced[0].topic, STATES);
    assert_non_null(strstr(world.produced[0].value, "\"reason\":\"empty\""));
}

/* The record of an empty group at `at`, and its state behind it. */
static void assert_announced_as_empty(size_t at, const struct uex_inflight *inflight, const char *reason)
{
    assert_string_equal(world.produced[at].topic, "results");
    assert_string_equal(world.produced[at].key, inflight->command.group_id);
    assert_string_equal(world.produced[at].value,
                        "{\"groupId\":\"g\",\"filePath\":null,\"fileName\":null,\"contentType\":null,"
                        "\"domainId\":\"" DOMAIN_ID "\",\"usernames\":[]}");
    assert_true(has_header(at, UEX_HEADER_REASON, reason));
    assert_true(has_header(at, UEX_HEADER_ROW_COUNT, "0"));
    assert_true(has_header(at, UEX_HEADER_PART, "1"));
    assert_true(has_header(at, UEX_HEADER_PART_COUNT, "1"));
    assert_true(has_header(at, UEX_HEADER_COMMAND_ID, inflight->command.command_id));
    assert_true(has_header(at, UEX_HEADER_RUN_ID, "night"));
    assert_null(fixture_header(&world.produced[at], UEX_HEADER_SNAPSHOT_AT));
    assert_string_equal(world.produced[at + 1].topic, STATES);
    assert_non_null(strstr(world.produced[at + 1].value, "\"outcome\":\"skipped\""));
}

static struct uex_inflight *skipped(enum uex_skip_reason skip)
{
    struct uex_inflight *inflight = running("g", 7);
    struct uex_job_outcome job = {.skip = skip, .snapshot_at_ms = UEX_NO_TIME, .domain_id = DOMAIN_ID};

    world.config.export_announce_empty = true;
    uex_engine_finish(&world.engine, inflight, &job);
    return inflight;
}

static void produce__empty_and_announced__is_an_empty_list_and_the_state(void **state)
{
    struct uex_inflight *inflight = skipped(UEX_SKIP_EMPTY);

    (void)state;
    assert_int_equal(produce(), 2);
    assert_announced_as_empty(0, inflight, "empty");
}

static void produce__inactive_and_announced__is_an_empty_list_and_the_state(void **state)
{
    struct uex_inflight *inflight = skipped(UEX_SKIP_INACTIVE);

    (void)state;
    assert_int_equal(produce(), 2);
    assert_announced_as_empty(0, inflight, "inactive");
}

static void produce__unknown_and_announced__is_an_empty_list_and_the_state(void **state)
{
    struct uex_inflight *inflight = skipped(UEX_SKIP_UNKNOWN_GROUP);

    (void)state;
    assert_int_equal(produce(), 2);
    assert_announced_as_empty(0, inflight, "unknown-group");
}

static void produce__invalid_type__is_never_announced(void **state)
{
    (void)state;
    (void)skipped(UEX_SKIP_INVALID_GROUP_TYPE);
    assert_int_equal(produce(), 1);
    assert_string_equal(world.produced[0].topic, STATES);
}

static void produce__duplicate_of_an_announced_one__is_nothing(void **state)
{
    struct uex_inflight *inflight = skipped(UEX_SKIP_EMPTY);

    (void)state;
    know("g", inflight->command.command_id);
    assert_int_equal(produce(), 0);
}

/* A reader would hear of it although the state does not follow. */
static void produce__announcement_is_not_taken__no_state_follows(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    (void)skipped(UEX_SKIP_EMPTY);
    assert_true(collect(UEX_BATCH_MAX));
    world.produce_error = UEX_KAFKA;
    assert_int_equal(uex_batch_produce(&world.engine, &world.engine.transaction, batch.commands[0], &fault), UEX_KAFKA);
    assert_int_equal(world.produced_count, 0);
}

/* Its outcome was committed before. */
static void produce__duplicate__is_nothing_at_all(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    know("g", inflight->command.command_id);
    assert_int_equal(produce(), 0);
}

static void produce__retried__is_the_same_record_in_the_next_tier(void **state)
{
    struct uex_inflight *inflight = running("g", 7);

    (void)state;
    fixture_finish(inflight, UEX_DB_QUERY);
    assert_int_equal(produce(), 2);
    assert_string_equal(world.produced[0].topic, RETRIES);
    assert_string_equal(world.produced[0].key, "g");
    assert_int_equal(world.produced[0].partition, 0); /* its group's */
    assert_memory_equal(world.produced[0].value, inflight->record->value.data, inflight->record->value.size_bytes);
    assert_int_equal(number_in(0, UEX_HEADER_RETRY_ATTEMPTS), 2);
    assert_int_equal(number_in(0, UEX_HEADER_RETRY_DUE), inflight->outcome.due_at_ms);
    assert_int_equal(number_in(0, UEX_HEADER_ORIGINAL_OFFSET), 7);
    assert_true(has_header(0, UEX_HEADER_ERROR_CODE, "database-query"));
    assert_true(has_header(0, UEX_HEADER_ERROR, "the job failed as the test wants it"));
    assert_true(has_header(0, UEX_HEADER_COMMAND_ID, inflight->command.command_id));
    assert_string_equal(world.produced[1].topic, STATES);
    assert_non_null(strstr(world.produced[1].value, "\"outcome\":\"retried\""));
}

static void produce__dead_letter__is_the_record_with_the_reason(void **state)
{
    struct uex_inflight *inflight = running("g", 7);

    (void)state;
    fixture_finish(inflight, UEX_DB_DATA);
    assert_int_equal(produce(), 2);
    assert_string_equal(world.produced[0].topic, "dead-letters");
    assert_string_equal(world.produced[0].key, "g");
    assert_int_equal(world.produced[0].partition, RD_KAFKA_PARTITION_UA);
    assert_memory_equal(world.produced[0].value, inflight->record->value.data, inflight->record->value.size_bytes);
    assert_true(has_header(0, UEX_HEADER_ERROR_CODE, "database-data"));
    assert_int_equal(number_in(0, UEX_HEADER_DLT_OFFSET), 7);
    assert_non_null(strstr(world.produced[1].value, "\"reason\":\"database-data\""));
}

/* An error without a text of its own has its sentence. */
static void produce__dead_letter_without_a_text__says_the_errors_sentence(void **state)
{
    struct uex_inflight *inflight = running("g", 7);
    struct uex_job_outcome job = {.error = UEX_DB_DATA};

    (void)state;
    uex_engine_finish(&world.engine, inflight, &job);
    (void)produce();
    assert_true(has_header(0, UEX_HEADER_ERROR, uex_error_sentence(UEX_DB_DATA)));
}

static void produce__no_command__is_a_dead_letter_without_a_state(void **state)
{
    (void)state;
    fixture_fetch(fixture_record(COMMANDS, 0, 7, "g", "no command"));
    fixture_intake();
    assert_int_equal(produce(), 1);
    assert_string_equal(world.produced[0].topic, "dead-letters");
    assert_string_equal(world.produced[0].value, "no command");
    assert_true(has_header(0, UEX_HEADER_ERROR_CODE, "malformed-command"));
}

/* Its key may be what is refused, and nobody can rely on it. */
static void produce__bare_dead_letter_of_no_command__has_no_key(void **state)
{
    (void)state;
    fixture_fetch(fixture_record(COMMANDS, 0, 7, "g", "no command"));
    fixture_intake();
    world.engine.synced.outbox.first->outcome.value_refused = true;
    world.engine.synced.outbox.first->outcome.headers_refused = true;
    assert_int_equal(produce(), 1);
    assert_string_equal(world.produced[0].key, "");
    assert_null(world.produced[0].value);
    assert_int_equal(number_in(0, UEX_HEADER_DLT_OFFSET), 7);
}

/* A command of partition 1 that stands in 0; it is read when there are two partitions. */
static void read_misplaced(struct uex_record *record)
{
    fixture_revoke();
    fixture_begin_at(2, "uex1;n=2");
    fixture_fetch(record);
    fixture_intake();
}

static void produce__rerouted_record__is_the_same_in_its_partition(void **state)
{
    const char *group = fixture_group(1, 2, 0);
    struct uex_record *record = fixture_record(COMMANDS, 0, 7, group, NULL);

    (void)state;
    record->timestamp_ms = 1234567;
    uex_envelope_read(record, COMMANDS);
    read_misplaced(record);
    assert_int_equal(produce(), 1); /* the state is another worker's */
    assert_string_equal(world.produced[0].topic, COMMANDS);
    assert_string_equal(world.produced[0].key, group);
    assert_int_equal(world.produced[0].partition, 1);
    assert_int_equal(world.produced[0].timestamp_ms, 1234567);
    assert_true(has_header(0, UEX_HEADER_COMMAND_ID, batch.commands[0]->command.command_id));
}

static void produce__rerouted_record_without_key_and_time__has_its_groups_key_and_the_time_of_now(void **state)
{
    const char *group = fixture_group(1, 2, 0);
    struct uex_record *record = NULL;
    char value[64];

    (void)state;
    (void)snprintf(value, sizeof(value), "{\"groupId\":\"%s\"}", group);
    record = fixture_record(COMMANDS, 0, 7, NULL, value);
    record->timestamp_ms = -1;
    uex_envelope_read(record, COMMANDS);
    read_misplaced(record);
    assert_int_equal(produce(), 1);
    assert_string_equal(world.produced[0].key, group);
    assert_int_equal(world.produced[0].timestamp_ms, 0);
}

/* A retry that is rerouted keeps when it is due and which attempt it is. */
static void produce__rerouted_retry__goes_to_the_command_topic_with_its_retry_headers(void **state)
{
    (void)state;
    read_misplaced(fixture_retry(0, 7, fixture_group(1, 2, 0), STARTED_WALL_MS));
    assert_int_equal(produce(), 1);
    assert_string_equal(world.produced[0].topic, COMMANDS);
    assert_int_equal(number_in(0, UEX_HEADER_RETRY_ATTEMPTS), 2);
    assert_int_equal(number_in(0, UEX_HEADER_RETRY_DUE), STARTED_WALL_MS);
}

/* The state of an outcome whose result is not there would make the command a duplicate. */
static void produce__result_is_not_taken__no_state_follows(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    (void)ended_list("g", 7, 10);
    assert_true(collect(UEX_BATCH_MAX));
    world.produce_error = UEX_KAFKA;
    assert_int_equal(uex_batch_produce(&world.engine, &world.engine.transaction, batch.commands[0], &fault), UEX_KAFKA);
    assert_int_equal(world.produced_count, 0);
}

static void produce__list_cannot_be_read__is_an_error_and_nothing_is_sent(void **state)
{
    struct uex_inflight *inflight = ended_list("g", 7, 10);
    struct uex_fault fault = {0};

    (void)state;
    inflight->outcome.job.parts[0].size_bytes = 11;
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_not_equal(uex_batch_produce(&world.engine, &world.engine.transaction, inflight, &fault), UEX_OK);
    assert_int_equal(world.produced_count, 0);
}

/* The state has what was known of the group, and this outcome behind it. */
static void produce__state__has_the_groups_history(void **state)
{
    const char *value = NULL;

    (void)state;
    (void)ended("g", 7);
    know("g", "0123abcd-0000-4000-8000-00000000ffff");
    assert_int_equal(produce(), 1);
    value = strstr(world.produced[0].value, "\"recent\"");
    assert_non_null(value);
    value = strstr(value, "00000000ffff");
    assert_non_null(value);
    assert_non_null(strstr(value, batch.commands[0]->command.command_id));
}

/* The first allocation is that of the value: of a state, of a list's message, of a file's message. */
static void produce__no_memory_for_the_value__is_an_error(void **state)
{
    struct uex_job_outcome file = {.object.url = strdup("s3://b/k")};
    struct uex_fault fault = {0};

    (void)state;
    (void)ended("a", 0);
    (void)ended_list("b", 1, 10);
    uex_engine_finish(&world.engine, running("c", 2), &file);
    assert_true(collect(UEX_BATCH_MAX));
    assert_int_equal(batch.count, 3);
    for (size_t i = 0; i < batch.count; i++) {
        enum uex_error error = UEX_OK;

        fail_allocation(1);
        error = uex_batch_produce(&world.engine, &world.engine.transaction, batch.commands[i], &fault);
        uex_torture_count(false);
        assert_int_equal(error, UEX_NO_MEMORY);
        assert_int_equal(world.produced_count, 0);
    }
}

int main(void)
{
#define BATCH_TEST(function) cmocka_unit_test_setup_teardown(function, open_engine, close_engine)
    const struct CMUnitTest tests[] = {
        BATCH_TEST(collect__nothing_waits__is_nothing),
        BATCH_TEST(collect__outcome__is_taken_out_with_its_offset_and_epoch),
        BATCH_TEST(collect__id_became_known_after_the_job_began__is_a_duplicate),
        BATCH_TEST(collect__another_id_is_known_of_the_group__stays_as_it_is),
        BATCH_TEST(collect__outcome_of_an_older_epoch__stays_where_it_is),
        BATCH_TEST(collect__partition_not_restored__outcome_waits_for_the_history_of_its_group),
        BATCH_TEST(collect__nothing_committed_and_nothing_read_yet__adopted_outcome_waits),
        BATCH_TEST(collect__one_that_was_refused__goes_by_itself_and_is_not_joined),
        BATCH_TEST(collect__refused_one_behind_others__is_left_for_the_next),
        BATCH_TEST(collect__goes_by_itself__takes_no_other_partitions_offset_along),
        BATCH_TEST(collect__tried_again_later__lets_others_go_first),
        BATCH_TEST(collect__cancelled_outcome__is_dropped),
        BATCH_TEST(collect__more_than_the_rate_allows__is_bounded),
        BATCH_TEST(collect__more_than_500__the_rest_is_for_the_next),
        BATCH_TEST(collect__list_of_more_than_2_mib__goes_by_itself),
        BATCH_TEST(collect__list_of_2_mib__goes_with_others),
        BATCH_TEST(collect__lists_of_more_than_4_mib_together__the_rest_is_for_the_next),
        BATCH_TEST(collect__no_memory__outcome_waits_for_the_next_time),
        BATCH_TEST(collect__only_transaction_markers_are_left__offset_moves_to_the_end),
        BATCH_TEST(collect__command_before_the_end_is_unfinished__offset_stays),
        BATCH_TEST(collect__end_of_a_partition_that_is_not_restored__offset_stays),
        BATCH_TEST(collect__partition_is_not_assigned__no_offset_of_it),
        BATCH_TEST(collect__crash_markers_have_changed__are_committed_with_whatever_is_committed),
        BATCH_TEST(offsets__batch__have_base_and_metadata_of_each_input_partition),
        BATCH_TEST(offsets__no_memory_for_the_metadata__are_none),
        BATCH_TEST(produce__list__is_its_parts_in_order_and_the_state),
        BATCH_TEST(produce__file__is_one_message_with_its_place_and_digest),
        BATCH_TEST(produce__skipped__is_a_state_alone),
        BATCH_TEST(produce__empty_and_announced__is_an_empty_list_and_the_state),
        BATCH_TEST(produce__inactive_and_announced__is_an_empty_list_and_the_state),
        BATCH_TEST(produce__unknown_and_announced__is_an_empty_list_and_the_state),
        BATCH_TEST(produce__invalid_type__is_never_announced),
        BATCH_TEST(produce__duplicate_of_an_announced_one__is_nothing),
        BATCH_TEST(produce__announcement_is_not_taken__no_state_follows),
        BATCH_TEST(produce__duplicate__is_nothing_at_all),
        BATCH_TEST(produce__retried__is_the_same_record_in_the_next_tier),
        BATCH_TEST(produce__dead_letter__is_the_record_with_the_reason),
        BATCH_TEST(produce__dead_letter_without_a_text__says_the_errors_sentence),
        BATCH_TEST(produce__no_command__is_a_dead_letter_without_a_state),
        BATCH_TEST(produce__bare_dead_letter_of_no_command__has_no_key),
        BATCH_TEST(produce__rerouted_record__is_the_same_in_its_partition),
        BATCH_TEST(produce__rerouted_record_without_key_and_time__has_its_groups_key_and_the_time_of_now),
        BATCH_TEST(produce__rerouted_retry__goes_to_the_command_topic_with_its_retry_headers),
        BATCH_TEST(produce__result_is_not_taken__no_state_follows),
        BATCH_TEST(produce__list_cannot_be_read__is_an_error_and_nothing_is_sent),
        BATCH_TEST(produce__state__has_the_groups_history),
        BATCH_TEST(produce__no_memory_for_the_value__is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
