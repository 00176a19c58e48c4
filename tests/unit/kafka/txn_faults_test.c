/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that a broker gives to each call of a transaction, from librdkafka's mock cluster: what state they leave the
 * producer in, and that the next transaction goes through. That outcomes stay exactly-once is shown on a real cluster,
 * tests/chaos. */
#include "export/clock.h"
#include "kafka/txn.h"
#include "unit/kafka/mock_cluster.h"

#define TOPIC "flairbit-users"
#define SOURCE "export-group"
#define TIMEOUT_MS 10000
#define TRIES_MAX 50
#define REBUILDS 15 /* each takes a second; EXPORT_TEST_REBUILDS asks for more */
/* A handle that were left behind would be ten times as much. The quarantine of AddressSanitizer grows by design. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_MAX_KIB 0
#else
#define GROWTH_MAX_KIB 4096
#endif

/* How far a transaction is to go before the error comes. */
enum step { STEP_PREPARE, STEP_PRODUCE, STEP_OFFSETS, STEP_COMMIT, STEP_ABORT };

struct injected {
    const char *name;
    enum step step;
    enum api api;
    rd_kafka_resp_err_t code;
    int times;
    enum uex_txn_state after; /* before any abort: READY is a transaction that went through nevertheless */
    bool fenced;
    bool refused; /* on_delivery was told of the record */
};

static const struct injected cases[] = {
    {"coordinator moves, at the start", STEP_PREPARE, API_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2,
     UEX_TXN_READY, false, false},
    {"coordinator loads, at the start", STEP_PREPARE, API_FIND_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
     2, UEX_TXN_READY, false, false},
    {"no right to the transactional id", STEP_PREPARE, API_INIT_PRODUCER_ID,
     RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 1, UEX_TXN_LOST, false, false},
    {"no right to the cluster", STEP_PREPARE, API_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 1,
     UEX_TXN_LOST, false, false},
    {"another takes over, at the start", STEP_PREPARE, API_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1,
     UEX_TXN_LOST, false, false},
    {"leader moves", STEP_PRODUCE, API_PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 2, UEX_TXN_READY, false,
     false},
    {"too few replicas", STEP_PRODUCE, API_PRODUCE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 2, UEX_TXN_READY, false,
     false},
    {"record too large", STEP_PRODUCE, API_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1, UEX_TXN_FAILED, false,
     true},
    {"no right to the topic", STEP_PRODUCE, API_PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1,
     UEX_TXN_FAILED, false, false},
    {"transaction still ends", STEP_PRODUCE, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3,
     UEX_TXN_READY, false, false},
    {"no right to add the topic", STEP_PRODUCE, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1,
     UEX_TXN_FAILED, false, false},
    {"producer id unknown", STEP_PRODUCE, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, 1,
     UEX_TXN_FAILED, false, false},
    {"producer fenced", STEP_PRODUCE, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, UEX_TXN_LOST,
     false, false},
    {"group's coordinator moves", STEP_OFFSETS, API_ADD_OFFSETS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2, UEX_TXN_READY,
     false, false},
    {"no right to the group", STEP_OFFSETS, API_ADD_OFFSETS, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1,
     UEX_TXN_FAILED, false, false},
    {"offsets wait for the coordinator", STEP_OFFSETS, API_TXN_OFFSET_COMMIT,
     RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 2, UEX_TXN_READY, false, false},
    {"generation is over", STEP_OFFSETS, API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, 1, UEX_TXN_FAILED,
     true, false},
    {"member unknown", STEP_OFFSETS, API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, 1, UEX_TXN_FAILED,
     true, false},
    {"static member fenced", STEP_OFFSETS, API_TXN_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, 1,
     UEX_TXN_FAILED, true, false},
    {"coordinator moves, at the commit", STEP_COMMIT, API_END_TXN, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2, UEX_TXN_READY,
     false, false},
    {"commit of a fenced producer", STEP_COMMIT, API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, UEX_TXN_LOST,
     false, false},
    {"commit in a wrong state", STEP_COMMIT, API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1, UEX_TXN_LOST, false,
     false},
    {"coordinator moves, at the abort", STEP_ABORT, API_END_TXN, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 2, UEX_TXN_READY,
     false, false},
    {"abort of a fenced producer", STEP_ABORT, API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, UEX_TXN_LOST,
     false, false},
};

struct fixture {
    struct mock_cluster mock;
    struct uex_cancel cancel;
    struct uex_txn_setup setup;
    struct uex_txn txn;
};

static unsigned refused_count;

static void note_refused(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset)
{
    (void)opaque;
    (void)topic;
    (void)offset;
    refused_count += code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
}

static int set_up_policy(void **state, enum uex_txn_policy policy)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    mock_start(&fixture->mock);
    mock_create_topic(&fixture->mock, TOPIC, 1);
    mock_create_topic(&fixture->mock, SOURCE, 1);
    fixture->mock.config.topics_result = (char *)TOPIC;
    refused_count = 0;
    fixture->setup = (struct uex_txn_setup){.config = &fixture->mock.config,
                                            .policy = policy,
                                            .timeout_ms = policy == UEX_TXN_GIVES_UP ? TIMEOUT_MS : 0,
                                            .cancel = &fixture->cancel,
                                            .on_delivery = note_refused};
    uex_txn_init(&fixture->txn, &fixture->setup);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_policy(state, UEX_TXN_NEVER_GIVES_UP);
}

static int set_up_tool(void **state)
{
    return set_up_policy(state, UEX_TXN_GIVES_UP);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    uex_txn_close(&fixture->txn);
    mock_stop(&fixture->mock);
    free(fixture);
    return 0;
}

static enum uex_error send_offsets(struct uex_txn *txn, struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new("export-workers");
    enum uex_error error = UEX_OK;

    rd_kafka_topic_partition_list_add(offsets, SOURCE, 0)->offset = 7;
    error = uex_txn_send_offsets(txn, offsets, metadata, fault);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(offsets);
    return error;
}

/* Errors for the next requests; they come when the transaction has got to their step. */
static void inject(struct fixture *fixture, const struct injected *injected, enum step step)
{
    if (injected == NULL || injected->step != step)
        return;
    mock_fail(&fixture->mock, injected->api, injected->code, injected->times);
}

/* A transaction as the committer makes it. The state that it ends in. */
static enum uex_txn_state transact(struct fixture *fixture, const struct injected *injected)
{
    const struct uex_txn_record record = {
        .topic = TOPIC, .partition = 0, .key = uex_bytes_of_text("group"), .value = uex_bytes_of_text("value")};
    struct uex_txn *txn = &fixture->txn;
    struct uex_fault fault = {0};

    txn->last_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    inject(fixture, injected, STEP_PREPARE);
    if (uex_txn_prepare(txn, TIMEOUT_MS, &fault) != UEX_OK)
        return txn->state;
    assert_int_equal(uex_txn_begin(txn, &fault), UEX_OK);
    inject(fixture, injected, STEP_PRODUCE);
    if (uex_txn_produce(txn, &record, &fault) != UEX_OK || uex_txn_flush(txn, &fault) != UEX_OK)
        return txn->state;
    inject(fixture, injected, STEP_OFFSETS);
    if (send_offsets(txn, &fault) != UEX_OK)
        return txn->state;
    inject(fixture, injected, STEP_ABORT);
    if (injected != NULL && injected->step == STEP_ABORT) {
        uex_txn_abort(txn);
        return txn->state;
    }
    inject(fixture, injected, STEP_COMMIT);
    if (uex_txn_commit(txn, &fault) != UEX_OK)
        return txn->state;
    return txn->state;
}

/* The committer tries again too: a refused batch leaves a gap in the sequence numbers, which costs one more try, and a
 * missing right is believed until the metadata are asked for again. */
static bool goes_through(struct fixture *fixture)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        if (transact(fixture, NULL) == UEX_TXN_READY)
            return true;
        uex_txn_abort(&fixture->txn);
        (void)uex_sleep_ms(100, NULL);
    }
    return false;
}

/* A lost producer of a tool is not built again: it would fence the one that has fenced it. */
static void stays_lost(struct fixture *fixture, const struct injected *injected)
{
    struct uex_fault fault = {0};

    if (uex_txn_was_taken_over(&fixture->txn) != (injected->code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH ||
                                                  injected->code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED))
        fail_msg("%s: taken over %d", injected->name, uex_txn_was_taken_over(&fixture->txn));
    assert_int_equal(uex_txn_prepare(&fixture->txn, TIMEOUT_MS, &fault), UEX_KAFKA);
    assert_int_equal(fixture->txn.state, UEX_TXN_LOST);
    assert_int_equal(fixture->txn.rebuild_count, 0);
}

static void check_case(void **state, const struct injected *injected, enum uex_txn_policy policy)
{
    struct fixture *fixture = NULL;
    enum uex_txn_state after = UEX_TXN_CLOSED;

    assert_int_equal(set_up_policy(state, policy), 0);
    fixture = *state;
    after = transact(fixture, injected);
    if (after != injected->after || uex_txn_was_fenced(&fixture->txn) != injected->fenced ||
        (refused_count > 0) != injected->refused)
        fail_msg("%s: state %d, not %d; fenced %d, refused %u; last code %s", injected->name, (int)after,
                 (int)injected->after, uex_txn_was_fenced(&fixture->txn), refused_count,
                 rd_kafka_err2name(fixture->txn.last_code));
    uex_txn_abort(&fixture->txn);
    assert_true(fixture->txn.state == UEX_TXN_READY || fixture->txn.state == UEX_TXN_LOST);
    rd_kafka_mock_clear_request_errors(fixture->mock.cluster, (int16_t)injected->api);
    if (policy == UEX_TXN_GIVES_UP && fixture->txn.state == UEX_TXN_LOST)
        stays_lost(fixture, injected);
    else if (!goes_through(fixture))
        fail_msg("%s: the next transactions end in state %d with %s", injected->name, (int)fixture->txn.state,
                 rd_kafka_err2name(fixture->txn.last_code));
    assert_int_equal(tear_down(state), 0);
}

static void transaction__error_of_each_call_and_class__leaves_the_expected_state_and_the_next_goes_through(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_case(state, &cases[i], UEX_TXN_NEVER_GIVES_UP);
}

static void transaction_of_a_tool__each_of_these_errors__leaves_the_same_state_and_what_is_lost_stays_lost(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_case(state, &cases[i], UEX_TXN_GIVES_UP);
}

static void prepare_of_a_tool__no_coordinator__gives_up_and_can_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault = {0};
    const int64_t begun_ms = uex_monotonic_ms();

    mock_fail(&fixture->mock, API_FIND_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 1000);
    assert_int_equal(uex_txn_prepare(&fixture->txn, 1500, &fault), UEX_KAFKA_UNAVAILABLE);
    assert_true(uex_monotonic_ms() - begun_ms >= 1500);
    assert_int_equal(fixture->txn.state, UEX_TXN_CLOSED);
    rd_kafka_mock_clear_request_errors(fixture->mock.cluster, API_FIND_COORDINATOR);
    assert_true(goes_through(fixture));
}

static void prepare_of_a_tool__stopped__is_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault = {0};

    mock_fail(&fixture->mock, API_FIND_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, 1000);
    assert_int_equal(uex_txn_prepare(&fixture->txn, 100, &fault), UEX_KAFKA_UNAVAILABLE);
    uex_cancel_request(&fixture->cancel);
    assert_int_equal(uex_txn_prepare(&fixture->txn, TIMEOUT_MS, &fault), UEX_CANCELLED);
}

static void commit_of_a_tool__no_answer_within_its_timeout__ends_unknown(void **state)
{
    const struct uex_txn_record record = {.topic = TOPIC, .partition = 0, .value = uex_bytes_of_text("value")};
    struct fixture *fixture = *state;
    struct uex_txn *txn = &fixture->txn;
    struct uex_fault fault = {0};

    txn->setup.timeout_ms = 2000;
    assert_int_equal(uex_txn_prepare(txn, TIMEOUT_MS, &fault), UEX_OK);
    assert_int_equal(uex_txn_begin(txn, &fault), UEX_OK);
    assert_int_equal(uex_txn_produce(txn, &record, &fault), UEX_OK);
    assert_int_equal(uex_txn_flush(txn, &fault), UEX_OK);
    uex_cancel_request(&fixture->cancel); /* a commit that has begun waits for its answer */
    mock_delay(&fixture->mock, TIMEOUT_MS);
    assert_int_equal(uex_txn_commit(txn, &fault), UEX_TIMEOUT);
    assert_true(uex_monotonic_ms() >= txn->begun_ms + 2000);
    assert_int_equal(txn->state, UEX_TXN_LOST);
    assert_false(uex_txn_was_taken_over(txn));
}

/* A record behind one that is not sent yet finds the queue full. */
static void fill_queue(struct fixture *fixture)
{
    const struct uex_txn_record record = {.topic = TOPIC, .partition = 0, .value = uex_bytes_of_text("value")};
    struct uex_fault fault = {0};

    mock_add_property(&fixture->mock, "queue.buffering.max.messages", "1");
    fixture->txn.setup.timeout_ms = 2000;
    assert_true(goes_through(fixture));
    mock_delay(&fixture->mock, TIMEOUT_MS);
    assert_int_equal(uex_txn_begin(&fixture->txn, &fault), UEX_OK);
    assert_int_equal(uex_txn_produce(&fixture->txn, &record, &fault), UEX_OK);
}

static void produce_of_a_tool__queue_stays_full__gives_up(void **state)
{
    const struct uex_txn_record record = {.topic = TOPIC, .partition = 0, .value = uex_bytes_of_text("value")};
    struct fixture *fixture = *state;
    struct uex_fault fault = {0};

    fill_queue(fixture);
    assert_int_equal(uex_txn_produce(&fixture->txn, &record, &fault), UEX_KAFKA_UNAVAILABLE);
    assert_true(uex_monotonic_ms() >= fixture->txn.begun_ms + 2000);
    assert_int_equal(fixture->txn.state, UEX_TXN_FAILED);
}

static void produce_of_a_tool__stopped_while_the_queue_is_full__is_cancelled(void **state)
{
    const struct uex_txn_record record = {.topic = TOPIC, .partition = 0, .value = uex_bytes_of_text("value")};
    struct fixture *fixture = *state;
    struct uex_fault fault = {0};

    fill_queue(fixture);
    uex_cancel_request(&fixture->cancel);
    assert_int_equal(uex_txn_produce(&fixture->txn, &record, &fault), UEX_CANCELLED);
    assert_int_equal(fixture->txn.state, UEX_TXN_FAILED);
}

static void produce_of_a_tool__transaction_has_failed__returns_the_reason(void **state)
{
    const struct uex_txn_record record = {.topic = TOPIC, .partition = 0, .value = uex_bytes_of_text("value")};
    struct fixture *fixture = *state;
    struct uex_txn *txn = &fixture->txn;
    struct uex_fault fault = {0};

    assert_true(goes_through(fixture));
    mock_fail(&fixture->mock, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);
    assert_int_equal(uex_txn_begin(txn, &fault), UEX_OK);
    assert_int_equal(uex_txn_produce(txn, &record, &fault), UEX_OK);
    assert_int_equal(uex_txn_flush(txn, &fault), UEX_OK);
    assert_int_equal(uex_txn_produce(txn, &record, &fault), UEX_KAFKA);
    if (strstr(fault.text, "uthorization") == NULL)
        fail_msg("%s", fault.text);
    uex_txn_abort(txn);
    assert_int_equal(txn->state, UEX_TXN_READY);
}

/* In KiB; 0 where the system does not say. */
static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0;
    long resident = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return resident * 4;
}

/* Each commit is fenced, so that each transaction needs a new producer. */
static void prepare__many_rebuilds__leave_the_memory_flat(void **state)
{
    const struct injected fenced = {"", STEP_COMMIT,  API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                                    1,  UEX_TXN_LOST, false,       false};
    struct fixture *fixture = *state;
    const char *asked = getenv("EXPORT_TEST_REBUILDS");
    const uint64_t rebuilds = asked == NULL ? REBUILDS : strtoul(asked, NULL, 10);
    long warm_kib = 0;

    for (uint64_t i = 0; i < rebuilds; i++) {
        if (i == rebuilds / 5)
            warm_kib = resident_kib();
        assert_int_equal(transact(fixture, &fenced), UEX_TXN_LOST);
        assert_int_equal(fixture->txn.rebuild_count, i);
    }
    print_message("%lu rebuilds: %ld KiB after the first fifth, %ld KiB at the end\n", (unsigned long)rebuilds,
                  warm_kib, resident_kib());
    if (GROWTH_MAX_KIB > 0)
        assert_true(resident_kib() - warm_kib < GROWTH_MAX_KIB);
}

/* A record that librdkafka itself does not take does not fail the transaction: its commit would move the position
 * without the record. */
static void produce__partition_that_is_not_there__must_be_aborted(void **state)
{
    const struct uex_txn_record record = {
        .topic = TOPIC, .partition = 7, .key = uex_bytes_of_text("group"), .value = uex_bytes_of_text("value")};
    struct fixture *fixture = *state;
    struct uex_txn *txn = &fixture->txn;
    struct uex_fault fault = {0};

    assert_true(goes_through(fixture)); /* now it knows the topic */
    assert_int_equal(uex_txn_begin(txn, &fault), UEX_OK);
    assert_int_not_equal(uex_txn_produce(txn, &record, &fault), UEX_OK);
    assert_int_equal(txn->state, UEX_TXN_FAILED);
    uex_txn_abort(txn);
    assert_true(goes_through(fixture));
}

static void property(struct uex_txn *txn, const char *name, char *out, size_t size)
{
    assert_int_equal(rd_kafka_conf_get(rd_kafka_conf(txn->producer), name, out, &size), RD_KAFKA_CONF_OK);
}

static void prepare__built_anew__has_the_same_id(void **state)
{
    const struct injected fenced = {"", STEP_COMMIT,  API_END_TXN, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                                    1,  UEX_TXN_LOST, false,       false};
    struct fixture *fixture = *state;
    char before[300], after[300];

    assert_int_equal(transact(fixture, &fenced), UEX_TXN_LOST);
    property(&fixture->txn, "transactional.id", before, sizeof(before));
    assert_true(goes_through(fixture));
    assert_int_equal(fixture->txn.rebuild_count, 1);
    property(&fixture->txn, "transactional.id", after, sizeof(after));
    assert_string_equal(before, after);
}

static void prepare__long_lists_allowed__timeout_covers_the_longest(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault = {0};
    char text[32];

    fixture->mock.config.commit_max_list_bytes = (int64_t)256 << 20;
    assert_int_equal(uex_txn_prepare(&fixture->txn, TIMEOUT_MS, &fault), UEX_OK);
    property(&fixture->txn, "transaction.timeout.ms", text, sizeof(text));
    assert_true(strtol(text, NULL, 10) >= 60000); /* 4 MB/s */
}

/* The partition of the result topic has no leader; coordinators and the state topic live. */
static void age__result_partition_without_leader__is_told_from_a_slow_list(void **state)
{
    const struct uex_txn_record part = {.topic = TOPIC, .partition = 0, .value = uex_bytes_of_text("a list")};
    const struct uex_txn_record other = {.topic = SOURCE, .partition = 0, .value = uex_bytes_of_text("a state")};
    struct fixture *fixture = *state;
    struct uex_txn *txn = &fixture->txn;
    struct uex_fault fault = {0};
    struct uex_txn_age age;

    mock_add_property(&fixture->mock, "transaction.timeout.ms", "2000");
    assert_true(goes_through(fixture));
    assert_int_equal(txn->acked_bytes, strlen("value"));
    assert_int_equal(rd_kafka_mock_partition_set_leader(fixture->mock.cluster, TOPIC, 0, -1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int i = 0; i < 2; i++) { /* the second time the client knows */
        assert_int_equal(uex_txn_begin(txn, &fault), UEX_OK);
        assert_int_equal(uex_txn_produce(txn, &part, &fault), UEX_OK);
        (void)rd_kafka_flush(txn->producer, 900); /* an acknowledgement in the middle is not the list's */
        assert_int_equal(uex_txn_produce(txn, &other, &fault), UEX_OK);
        assert_int_equal(uex_txn_flush(txn, &fault), UEX_OK); /* on_delivery has heard of it */
        (void)uex_sleep_ms(200, NULL);
        age = uex_txn_age(txn, uex_monotonic_ms());
        assert_true(age.timed_out);
        assert_false(age.was_sending);
        assert_int_equal(age.acked_bytes, 0);
        uex_txn_abort(txn);
        assert_int_equal(txn->state, UEX_TXN_READY);
    }
    assert_int_equal(rd_kafka_mock_partition_set_leader(fixture->mock.cluster, TOPIC, 0, 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(goes_through(fixture));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            transaction__error_of_each_call_and_class__leaves_the_expected_state_and_the_next_goes_through),
        cmocka_unit_test(
            transaction_of_a_tool__each_of_these_errors__leaves_the_same_state_and_what_is_lost_stays_lost),
        cmocka_unit_test_setup_teardown(prepare_of_a_tool__no_coordinator__gives_up_and_can_go_on, set_up_tool,
                                        tear_down),
        cmocka_unit_test_setup_teardown(prepare_of_a_tool__stopped__is_cancelled, set_up_tool, tear_down),
        cmocka_unit_test_setup_teardown(produce_of_a_tool__queue_stays_full__gives_up, set_up_tool, tear_down),
        cmocka_unit_test_setup_teardown(produce_of_a_tool__stopped_while_the_queue_is_full__is_cancelled, set_up_tool,
                                        tear_down),
        cmocka_unit_test_setup_teardown(produce_of_a_tool__transaction_has_failed__returns_the_reason, set_up_tool,
                                        tear_down),
        cmocka_unit_test_setup_teardown(commit_of_a_tool__no_answer_within_its_timeout__ends_unknown, set_up_tool,
                                        tear_down),
        cmocka_unit_test_setup_teardown(produce__partition_that_is_not_there__must_be_aborted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prepare__built_anew__has_the_same_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prepare__long_lists_allowed__timeout_covers_the_longest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(age__result_partition_without_leader__is_told_from_a_slow_list, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(prepare__many_rebuilds__leave_the_memory_flat, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
