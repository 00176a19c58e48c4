/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store where a server fails, stalls, loses answers or lies: multipart uploads. */
#include "fake_s3.h"
#include "store/s3_uploads.h"
#include "store/s3_writer.h"

#define KEY "d0/g/" COMMAND ".csv.gz"
#define SIZE (2 * PART_BYTES + 12345) /* three parts */
#define COMPLETE "csv.gz?uploadId="

struct bench {
    struct fake_s3 *fake;
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
    struct uex_fault fault;
    struct uex_object_facts facts;
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->fake = fake_start();
    bench->config = s3_config("s3://bucket", bench->fake->endpoint);
    *state = bench;
    return store_open(&bench->config, &bench->service, &bench->store, NULL) == UEX_OK ? 0 : -1;
}

/* Whatever happened, no upload stays incomplete in the store. */
static int teardown(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 0);
    assert_int_equal(fake_item_count(bench->fake, FAKE_PART), 0);
    uex_object_facts_clear(&bench->facts);
    store_close(bench->service, bench->store);
    fake_stop(bench->fake);
    free(bench);
    return 0;
}

static enum uex_error put(struct bench *bench)
{
    uex_object_facts_clear(&bench->facts);
    return s3_put(bench->store, KEY, COMMAND, SIZE, &bench->facts, &bench->fault);
}

static void put_other(struct bench *bench)
{
    struct uex_object_facts facts;

    assert_int_equal(s3_put(bench->store, KEY, OTHER, 5, &facts, NULL), UEX_OK);
    uex_object_facts_clear(&facts);
}

static void commit__three_parts__are_one_object_with_its_metadata(void **state)
{
    struct bench *bench = *state;
    struct uex_object_facts found;

    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", "partNumber="), 3);
    assert_object_is(bench->store, KEY, &bench->facts);
    assert_int_equal(bench->store->find(bench->store, KEY, &found, NULL), UEX_OK);
    assert_string_equal(found.command_id, COMMAND);
    assert_int_equal(found.snapshot_at_ms, SNAPSHOT_AT_MS);
    assert_true(found.row_count == UEX_UNKNOWN);
    assert_int_equal(bench->facts.row_count, 17);
    uex_object_facts_clear(&found);
}

static void write__a_part_fails_twice__is_sent_a_third_time(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"PUT", "partNumber=2", 0, 1, FAKE_ANSWER, 503, ""};
    bench->fake->rules[1] = (struct fake_rule){"PUT", "partNumber=2", 0, 1, FAKE_RESET, 0, NULL};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", "partNumber=2"), 3);
    assert_object_is(bench->store, KEY, &bench->facts);
}

static void write__a_part_is_denied__aborts_the_upload(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] =
        (struct fake_rule){"PUT", "partNumber=1", 0, 1, FAKE_ANSWER, 403, "<Error><Code>AccessDenied</Code></Error>"};
    assert_int_equal(put(bench), UEX_STORE_DENIED);
    assert_int_equal(bench->fault.error, UEX_STORE_DENIED);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 1);
}

static void write__upload_aborted_by_another__is_a_race(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] =
        (struct fake_rule){"PUT", "partNumber=1", 0, 1, FAKE_ANSWER, 404, "<Error><Code>NoSuchUpload</Code></Error>"};
    assert_int_equal(put(bench), UEX_STORE_RACE);
    assert_int_equal(fake_count(bench->fake, "PUT", "partNumber=1"), 1);
}

static void begin__answer_of_create_lost__its_stray_upload_is_aborted(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"POST", "uploads=", 0, 1, FAKE_LOSE, 0, NULL};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(bench->fake->upload_count, 2);
    assert_object_is(bench->store, KEY, &bench->facts);
}

static void commit__error_inside_a_200__is_repeated_or_final(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] =
        (struct fake_rule){"POST", COMPLETE, 0, 1, FAKE_ANSWER, 200, "  \n<Error><Code>InternalError</Code></Error>"};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "POST", COMPLETE), 2);
    assert_int_equal(bench->store->remove(bench->store, KEY, NULL), UEX_OK);
    bench->fake->rules[0] =
        (struct fake_rule){"POST", COMPLETE, 0, 1, FAKE_ANSWER, 200, "<Error><Code>AccessDenied</Code></Error>"};
    assert_int_equal(put(bench), UEX_STORE_DENIED);
    assert_non_null(strstr(bench->fault.text, "HTTP 200 AccessDenied"));
}

/* libcurl itself repeats a request when a kept connection ends without an answer: then the repetition is told that
 * there is no such upload. */
static void commit__answer_of_completion_lost__is_found(void **state)
{
    struct bench *bench = *state;

    for (int lost = 1; lost <= 2; lost++) {
        bench->fake->log_count = 0;
        bench->fake->rules[0] = (struct fake_rule){"POST", COMPLETE, 0, lost, FAKE_LOSE, 0, NULL};
        assert_int_equal(put(bench), UEX_OK);
        assert_int_equal(fake_count(bench->fake, "POST", COMPLETE), 2);
        assert_int_equal(fake_count(bench->fake, "HEAD", NULL), 1);
        assert_object_is(bench->store, KEY, &bench->facts);
        assert_int_equal(bench->store->remove(bench->store, KEY, NULL), UEX_OK);
    }
}

static void commit__answer_of_completion_is_garbage__is_asked_again(void **state)
{
    static const char *const bodies[] = {"", "<html>", "<CompleteMultipartUploadResult>", "<Other/>"};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        bench->fake->log_count = 0;
        bench->fake->rules[0] = (struct fake_rule){"POST", COMPLETE, 0, 1, FAKE_ANSWER, 200, bodies[i]};
        assert_int_equal(put(bench), UEX_OK);
        assert_int_equal(fake_count(bench->fake, "POST", COMPLETE), 2);
        assert_object_is(bench->store, KEY, &bench->facts);
        assert_int_equal(bench->store->remove(bench->store, KEY, NULL), UEX_OK);
    }
}

static void commit__key_is_taken__aborts_and_says_so(void **state)
{
    struct bench *bench = *state;

    put_other(bench);
    assert_int_equal(put(bench), UEX_OBJECT_EXISTS);
    assert_int_equal(fake_count(bench->fake, "POST", COMPLETE), 1);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 1);
    assert_int_equal(bench->store->find(bench->store, KEY, &bench->facts, NULL), UEX_OK);
    assert_string_equal(bench->facts.command_id, OTHER);
}

static void commit__409_or_no_such_upload__is_decided_by_what_is_there(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {{409, "<Error><Code>ConditionalRequestConflict</Code></Error>"},
                 {404, "<Error><Code>NoSuchUpload</Code></Error>"},
                 {404, ""}};
    struct bench *bench = *state;

    for (size_t there = 0; there < 2; there++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            bench->fake->rules[0] =
                (struct fake_rule){"POST", COMPLETE, 0, 1, FAKE_ANSWER, cases[i].status, cases[i].body};
            assert_int_equal(put(bench), there ? UEX_OBJECT_EXISTS : UEX_STORE_RACE);
            assert_int_equal(bench->fault.error, there ? UEX_OBJECT_EXISTS : UEX_STORE_RACE);
        }
        if (there == 0)
            put_other(bench);
    }
}

static void abort__server_resets__is_tried_three_times(void **state)
{
    struct bench *bench = *state;
    enum uex_error err;
    struct uex_object_writer *writer = s3_write(bench->store, KEY, COMMAND, SIZE, &err, NULL);

    assert_int_equal(err, UEX_OK);
    bench->fake->rules[0] = (struct fake_rule){"DELETE", NULL, 0, 2, FAKE_RESET, 0, NULL};
    bench->store->abort(writer);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 3);
}

struct part_cancel {
    struct uex_cancel cancel;
    struct fake_s3 *fake;
    int64_t requested_at_ms;
};

/* Cancel once the second part has reached the server. */
static void *cancel_second_part(void *context)
{
    struct part_cancel *part = context;

    for (int i = 0; i < 3000 && fake_count(part->fake, "PUT", "partNumber=2") == 0; i++)
        usleep(10000);
    part->requested_at_ms = uex_monotonic_ms();
    uex_cancel_request(&part->cancel);
    return NULL;
}

static void commit__cancelled_while_a_part_stalls__ends_soon_and_aborts(void **state)
{
    struct bench *bench = *state;
    struct part_cancel part = {.fake = bench->fake};
    pthread_t thread;

    bench->fake->rules[0] = (struct fake_rule){"PUT", "partNumber=2", 0, 9, FAKE_STALL, 0, NULL};
    bench->store->cancel = &part.cancel;
    assert_int_equal(pthread_create(&thread, NULL, cancel_second_part, &part), 0);
    enum uex_error err = put(bench);
    int64_t ended_at_ms = uex_monotonic_ms();
    pthread_join(thread, NULL);
    bench->store->cancel = NULL;
    assert_int_equal(err, UEX_CANCELLED);
    assert_true(ended_at_ms - part.requested_at_ms < 1000);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 1);
}

static void write__second_part_is_slow__the_next_one_is_filled_meanwhile(void **state)
{
    struct bench *bench = *state;
    enum uex_error err;

    bench->config.s3_stall_timeout_ms = 3000;
    bench->config.retry_attempts = 0;
    bench->fake->rules[0] = (struct fake_rule){"PUT", "partNumber=1", 0, 1, FAKE_STALL, 0, NULL};
    int64_t begun_at_ms = uex_monotonic_ms();
    struct uex_object_writer *writer = s3_write(bench->store, KEY, COMMAND, 2 * PART_BYTES, &err, NULL);
    assert_int_equal(err, UEX_OK);
    assert_true(uex_monotonic_ms() - begun_at_ms < 2500); /* did not wait for the part that stalls */
    assert_int_equal(bench->store->commit(writer, 1, &bench->facts, &bench->fault), UEX_STORE_UNAVAILABLE);
    assert_non_null(strstr(bench->fault.text, "PUT of a part: no byte moved"));
}

static void write__more_parts_than_s3_takes__is_a_limit(void **state)
{
    struct bench *bench = *state;
    enum uex_error err;
    struct uex_object_writer *writer = s3_write(bench->store, KEY, COMMAND, 2 * PART_BYTES, &err, NULL);

    assert_int_equal(err, UEX_OK);
    ((struct uex_s3_writer *)writer)->part_count = UEX_S3_PARTS_MAX;
    assert_int_equal(bench->store->write(writer, uex_bytes_of_text("x"), &bench->fault), UEX_LIMIT);
    assert_non_null(strstr(bench->fault.text, "10000"));
    bench->store->abort(writer);
}

static void abort_incomplete__pages_of_uploads__aborts_all_of_this_key_only(void **state)
{
    struct bench *bench = *state;
    struct uex_fault fault = {0};

    for (int i = 0; i < 7; i++) {
        char id[16];
        snprintf(id, sizeof(id), "up-%d", ++bench->fake->upload_count);
        fake_add(bench->fake, FAKE_UPLOAD, i % 3 == 1 ? "/bucket/" KEY ".longer" : "/bucket/" KEY, id)->headers =
            strdup("");
    }
    bench->fake->page_size = 2;
    assert_int_equal(bench->store->abort_incomplete(bench->store, KEY, &fault), UEX_OK);
    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 2);
    assert_int_equal(bench->store->abort_incomplete(bench->store, KEY ".longer", &fault), UEX_OK);
}

static void forget_list(struct bench *bench)
{
    uex_s3_uploads_forget(&((struct uex_s3_store *)bench->store)->service->uploads);
}

#define MANY 40

static void abort_incomplete__many_keys_in_a_row__share_a_list(void **state)
{
    struct bench *bench = *state;
    char key[64], id[16];

    forget_list(bench);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "domain/group-%d/x.csv.gz", i);
        assert_int_equal(bench->store->abort_incomplete(bench->store, key, &bench->fault), UEX_OK);
    }
    assert_in_range(fake_count(bench->fake, "GET", "uploads="), 1, MANY - 1);
    /* What is in the shared list is looked at itself. */
    snprintf(id, sizeof(id), "up-%d", ++bench->fake->upload_count);
    fake_add(bench->fake, FAKE_UPLOAD, "/bucket/" KEY, id)->headers = strdup("");
    forget_list(bench);
    assert_int_equal(bench->store->abort_incomplete(bench->store, "domain/other/x.csv.gz", &bench->fault), UEX_OK);
    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 1);
    assert_int_equal(bench->store->abort_incomplete(bench->store, KEY, &bench->fault), UEX_OK);
    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 0);
}

/* No outcome depends on what is left over, so a list that cannot be had or read keeps no export from going on. */
static void abort_incomplete__list_refused_or_bad__goes_on_and_does_not_loop(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {{403, "<Error><Code>AccessDenied</Code></Error>"},
                 {403, ""},
                 {404, ""},
                 {404, "<Error><Code>NoSuchUpload</Code></Error>"},
                 {405, "<Error><Code>MethodNotAllowed</Code></Error>"},
                 {400, "<Error><Code>InvalidArgument</Code></Error>"},
                 {301, ""},
                 {307, ""},
                 {401, ""},
                 {403, "<Error><Code>ExpiredToken</Code></Error>"},
                 {404, "<Error><Code>NoSuchBucket</Code></Error>"},
                 {500, "<Error><Code>InternalError</Code></Error>"},
                 {503, "<Error><Code>SlowDown</Code></Error>"},
                 {507, ""},
                 {501, "<Error><Code>NotImplemented</Code></Error>"},
                 {200, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>"},
                 {200, "<ListMultipartUploadsResult><Upload>"},
                 {200, ""},
                 {200, "not xml"}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bench->fake->rules[0] =
            (struct fake_rule){"GET", "uploads=", 0, 99, FAKE_ANSWER, cases[i].status, cases[i].body};
        if (bench->store->abort_incomplete(bench->store, KEY, &bench->fault) != UEX_OK)
            fail_msg("HTTP %d %s: %s", cases[i].status, cases[i].body, bench->fault.text);
        assert_in_range(fake_count(bench->fake, "GET", "uploads="), 1, 8);
        bench->fake->log_count = 0;
    }
}

/* Nobody waits for it either: each list is asked for once. */
static void abort_incomplete__list_has_no_answer__goes_on_after_one_try(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_stall_timeout_ms = 500;
    bench->fake->rules[0] = (struct fake_rule){"GET", "uploads=", 0, 99, FAKE_STALL, 0, NULL};
    forget_list(bench);
    assert_int_equal(bench->store->abort_incomplete(bench->store, KEY, &bench->fault), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "GET", "uploads="), 2); /* the shared list, and that of the key */
}

static void abort_incomplete__given_up__says_so(void **state)
{
    struct bench *bench = *state;
    struct uex_cancel cancel = {0};

    uex_cancel_request(&cancel);
    bench->store->cancel = &cancel;
    assert_int_equal(bench->store->abort_incomplete(bench->store, KEY, &bench->fault), UEX_CANCELLED);
    bench->store->cancel = NULL;
}

static void abort_incomplete__abort_fails__goes_on(void **state)
{
    static const struct {
        int status, tries;
        const char *body;
    } cases[] = {{403, 1, "<Error><Code>AccessDenied</Code></Error>"},
                 {403, 1, "<Error><Code>InvalidAccessKeyId</Code></Error>"},
                 {401, 1, ""},
                 {404, 1, "<Error><Code>NoSuchBucket</Code></Error>"},
                 {503, 3, ""}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_add(bench->fake, FAKE_UPLOAD, "/bucket/" KEY, "up-1")->headers = strdup("");
        bench->fake->upload_count = 1;
        bench->fake->log_count = 0;
        bench->fake->rules[0] =
            (struct fake_rule){"DELETE", NULL, 0, cases[i].tries, FAKE_ANSWER, cases[i].status, cases[i].body};
        forget_list(bench);
        if (bench->store->abort_incomplete(bench->store, KEY, &bench->fault) != UEX_OK)
            fail_msg("HTTP %d %s: %s", cases[i].status, cases[i].body, bench->fault.text);
        assert_int_equal(fake_count(bench->fake, "DELETE", NULL), cases[i].tries);
        assert_int_equal(bench->store->abort_incomplete(bench->store, KEY, &bench->fault), UEX_OK);
        assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 0);
    }
}

/* Each page is another one and full, and no upload ever goes. */
static void abort_incomplete__list_lies__ends_after_a_hundred(void **state)
{
    struct bench *bench = *state;
    struct uex_buffer page = {0};

    uex_buffer_append_text(&page, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
                                  "<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>");
    for (int i = 0; i < 1000; i++)
        uex_buffer_append_format(&page, "<Upload><Key>%s</Key><UploadId>u-%d</UploadId></Upload>", KEY, i);
    uex_buffer_append_text(&page, "</ListMultipartUploadsResult>");
    bench->fake->rules[0] = (struct fake_rule){"GET", "uploads=", 0, 99999, FAKE_ANSWER, 200, uex_buffer_text(&page)};
    bench->fake->rules[1] = (struct fake_rule){"DELETE", NULL, 0, 99999, FAKE_ANSWER, 204, ""};
    assert_int_equal(bench->store->abort_incomplete(bench->store, KEY, &bench->fault), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 100);
    bench->fake->rules[0].count = 0;
    uex_buffer_clear(&page);
}

#define UPLOAD(at) "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>" at "</Initiated></Upload>"

static void inspect__two_pages__counts_old_uploads_and_finds_the_oldest(void **state)
{
    static const char first[] = "<ListMultipartUploadsResult>" UPLOAD("2026-01-02T00:00:00.000Z")
        UPLOAD("2026-01-03T00:00:00.000Z") "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
                                           "<NextUploadIdMarker>u</NextUploadIdMarker></ListMultipartUploadsResult>";
    static const char second[] = "<ListMultipartUploadsResult>" UPLOAD("2026-01-01T00:00:00.000Z") UPLOAD("yesterday")
        UPLOAD("2026-01-04T00:00:00.000Z") "</ListMultipartUploadsResult>";
    struct bench *bench = *state;
    struct uex_store_inspection found;
    int64_t before_ms = 0, oldest_ms = 0;

    assert_true(uex_time_parse("2026-01-03T12:00:00.000Z", 24, &before_ms));
    assert_true(uex_time_parse("2026-01-01T00:00:00.000Z", 24, &oldest_ms));
    bench->fake->rules[0] = (struct fake_rule){"GET", "key-marker=", 0, 1, FAKE_ANSWER, 200, second};
    bench->fake->rules[1] = (struct fake_rule){"GET", "uploads=", 0, 1, FAKE_ANSWER, 200, first};
    assert_int_equal(bench->store->inspect(bench->store, before_ms, &found, &bench->fault), UEX_OK);
    assert_true(found.uploads_known);
    assert_int_equal(found.old_uploads, 3);
    assert_true(found.oldest_at_ms == oldest_ms);
    assert_int_equal(fake_count(bench->fake, "GET", "uploads="), 2);
}

static void inspect__list_refused_or_bad__is_not_known(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {{403, "<Error><Code>AccessDenied</Code></Error>"},
                 {501, "<Error><Code>NotImplemented</Code></Error>"},
                 {200, ""},
                 {200, "not xml"},
                 {200, "<AnotherResult></AnotherResult>"},
                 {200, "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>"}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_store_inspection found;

        bench->fake->rules[0] =
            (struct fake_rule){"GET", "uploads=", 0, 99, FAKE_ANSWER, cases[i].status, cases[i].body};
        assert_int_equal(bench->store->inspect(bench->store, 0, &found, &bench->fault), UEX_OK);
        assert_false(found.uploads_known);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commit__three_parts__are_one_object_with_its_metadata),
        TEST(write__a_part_fails_twice__is_sent_a_third_time),
        TEST(write__a_part_is_denied__aborts_the_upload),
        TEST(write__upload_aborted_by_another__is_a_race),
        TEST(begin__answer_of_create_lost__its_stray_upload_is_aborted),
        TEST(commit__error_inside_a_200__is_repeated_or_final),
        TEST(commit__answer_of_completion_lost__is_found),
        TEST(commit__answer_of_completion_is_garbage__is_asked_again),
        TEST(commit__key_is_taken__aborts_and_says_so),
        TEST(commit__409_or_no_such_upload__is_decided_by_what_is_there),
        TEST(abort__server_resets__is_tried_three_times),
        TEST(commit__cancelled_while_a_part_stalls__ends_soon_and_aborts),
        TEST(write__second_part_is_slow__the_next_one_is_filled_meanwhile),
        TEST(write__more_parts_than_s3_takes__is_a_limit),
        TEST(abort_incomplete__pages_of_uploads__aborts_all_of_this_key_only),
        TEST(abort_incomplete__many_keys_in_a_row__share_a_list),
        TEST(abort_incomplete__list_refused_or_bad__goes_on_and_does_not_loop),
        TEST(abort_incomplete__list_has_no_answer__goes_on_after_one_try),
        TEST(abort_incomplete__given_up__says_so),
        TEST(abort_incomplete__abort_fails__goes_on),
        TEST(abort_incomplete__list_lies__ends_after_a_hundred),
        TEST(inspect__two_pages__counts_old_uploads_and_finds_the_oldest),
        TEST(inspect__list_refused_or_bad__is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
