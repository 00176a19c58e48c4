/* SPDX-License-Identifier: Apache-2.0 */
/* What each request of a write says beyond its body: s3.checksum, s3.storage_class, s3.tagging, s3.acl. */
#include "fake_s3.h"
#include "store/s3_checksum.h"

#define DOMAIN_ID "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define KEY DOMAIN_ID "/g/" COMMAND ".csv.gz"
#define HINT "; the bucket demands a checksum with each write: set s3.checksum"
#define SMALL_BYTES ((size_t)1000)
#define BIG_BYTES (PART_BYTES + 1000)

struct bench {
    struct fake_s3 *fake;
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
    struct uex_fault fault;
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->fake = fake_start();
    bench->config = s3_config("s3://bucket", bench->fake->endpoint);
    bench->config.export_domain_id = (char *)DOMAIN_ID;
    *state = bench;
    return store_open(&bench->config, &bench->service, &bench->store, NULL) == UEX_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    store_close(bench->service, bench->store);
    fake_stop(bench->fake);
    free(bench);
    return 0;
}

/* An object in one request or in two parts; it is gone again afterwards. */
static enum uex_error put(struct bench *bench, size_t size)
{
    struct uex_object_facts facts;
    enum uex_error err;

    bench->fault = (struct uex_fault){0};
    bench->fake->log_count = 0;
    err = s3_put(bench->store, KEY, COMMAND, size, &facts, &bench->fault);
    uex_object_facts_clear(&facts);
    if (err == UEX_OK)
        assert_int_equal(bench->store->remove(bench->store, KEY, NULL), UEX_OK);
    return err;
}

static enum uex_error probe(struct bench *bench)
{
    bench->fault = (struct uex_fault){0};
    bench->fake->log_count = 0;
    return bench->store->probe(bench->store, &bench->fault);
}

/* A header of the one request with this method whose target has `with` (not NULL) and ends before any "?" without it.
 */
static const char *sent(struct bench *bench, const char *method, const char *with, const char *header)
{
    static char value[256];
    const size_t size = strlen(method);

    for (size_t i = 0; i < bench->fake->log_count; i++) {
        const char *entry = bench->fake->log[i];
        struct fake_request request;

        if (strncmp(entry, method, size) != 0 || entry[size] != ' ' ||
            (with != NULL ? strstr(entry, with) == NULL : strchr(entry, '?') != NULL))
            continue;
        snprintf(request.headers, sizeof(request.headers), "%s", bench->fake->log_headers[i]);
        return fake_header(&request, header, value, sizeof(value));
    }
    fail_msg("there was no %s of %s", method, with == NULL ? "an object" : with);
    return NULL;
}

static void assert_sent(struct bench *bench, const char *method, const char *with, const char *header,
                        const char *expected)
{
    const char *value = sent(bench, method, with, header);

    if (expected == NULL && value != NULL)
        fail_msg("%s %s has %s: %s", method, with == NULL ? "object" : with, header, value);
    if (expected != NULL && (value == NULL || strcmp(value, expected) != 0))
        fail_msg("%s %s: %s is \"%s\", not \"%s\"", method, with == NULL ? "object" : with, header,
                 value == NULL ? "(none)" : value, expected);
}

static const struct {
    enum uex_s3_checksum kind;
    const char *header, *algorithm, *element; /* algorithm and element: NULL where S3 keeps none */
} KINDS[] = {{UEX_S3_CHECKSUM_CRC32, "x-amz-checksum-crc32", "CRC32", "ChecksumCRC32"},
             {UEX_S3_CHECKSUM_SHA256, "x-amz-checksum-sha256", "SHA256", "ChecksumSHA256"},
             {UEX_S3_CHECKSUM_MD5, "Content-MD5", NULL, NULL}};
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

/* The checksum of what s3_put() writes from `from` to `to`. */
static const char *expected_checksum(enum uex_s3_checksum kind, size_t from, size_t to)
{
    static char text[UEX_S3_CHECKSUM_SIZE];
    uint8_t *bytes = malloc(BIG_BYTES);

    for (size_t done = 0; done < to; done += 100000)
        fill(bytes + done, BIG_BYTES - done < 100000 ? BIG_BYTES - done : 100000, (uint32_t)done);
    assert_int_equal(uex_s3_checksum_of(kind, uex_bytes_of(bytes + from, to - from), NULL, text), UEX_OK);
    free(bytes);
    return text;
}

static void commit__one_put__has_the_checksum_of_the_object(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        bench->config.s3_checksum = KINDS[i].kind;
        assert_int_equal(put(bench, SMALL_BYTES), UEX_OK);
        for (size_t j = 0; j < KIND_COUNT; j++)
            assert_sent(bench, "PUT", NULL, KINDS[j].header,
                        i == j ? expected_checksum(KINDS[i].kind, 0, SMALL_BYTES) : NULL);
        assert_sent(bench, "PUT", NULL, "x-amz-checksum-algorithm", NULL);
    }
}

static void commit__upload_in_parts__each_part_and_the_list_have_a_checksum(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < KIND_COUNT; i++) {
        char parts[512];
        char first[UEX_S3_CHECKSUM_SIZE];

        bench->config.s3_checksum = KINDS[i].kind;
        assert_int_equal(put(bench, BIG_BYTES), UEX_OK);
        assert_sent(bench, "POST", "?uploads=", "x-amz-checksum-algorithm", KINDS[i].algorithm);
        assert_sent(bench, "POST", "?uploads=", KINDS[i].header, NULL);
        snprintf(first, sizeof(first), "%s", expected_checksum(KINDS[i].kind, 0, PART_BYTES));
        assert_sent(bench, "PUT", "?partNumber=1&", KINDS[i].header, first);
        const char *second = expected_checksum(KINDS[i].kind, PART_BYTES, BIG_BYTES);
        assert_sent(bench, "PUT", "?partNumber=2&", KINDS[i].header, second);
        if (KINDS[i].element == NULL)
            snprintf(parts, sizeof(parts),
                     "><Part><PartNumber>1</PartNumber><ETag>\"part\"</ETag></Part>"
                     "<Part><PartNumber>2</PartNumber><ETag>\"part\"</ETag></Part></CompleteMultipartUpload>");
        else
            snprintf(
                parts, sizeof(parts),
                "><Part><PartNumber>1</PartNumber><ETag>\"part\"</ETag><%s>%s</%s></Part>"
                "<Part><PartNumber>2</PartNumber><ETag>\"part\"</ETag><%s>%s</%s></Part></CompleteMultipartUpload>",
                KINDS[i].element, first, KINDS[i].element, KINDS[i].element, second, KINDS[i].element);
        if (strstr(bench->fake->completion, parts) == NULL)
            fail_msg("%s is not in %s", parts, bench->fake->completion);
    }
}

static void commit__nothing_is_set__has_none_of_the_headers(void **state)
{
    static const char *const headers[] = {
        "x-amz-checksum-crc32", "x-amz-checksum-sha256", "Content-MD5", "x-amz-checksum-algorithm",
        "x-amz-storage-class",  "x-amz-tagging",         "x-amz-acl"};
    struct bench *bench = *state;

    assert_int_equal(put(bench, SMALL_BYTES), UEX_OK);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_sent(bench, "PUT", NULL, headers[i], NULL);
    assert_int_equal(put(bench, BIG_BYTES), UEX_OK);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_sent(bench, "POST", "?uploads=", headers[i], NULL);
        assert_sent(bench, "PUT", "?partNumber=1&", headers[i], NULL);
    }
    assert_null(strstr(bench->fake->completion, "Checksum"));
}

/* Everything that a write can have at once, so that no header is left out for lack of room. */
static void set_all(struct uex_config *config)
{
    config->s3_sse = (char *)"aws:kms";
    config->s3_sse_kms_key_id = (char *)"key-1";
    config->s3_checksum = UEX_S3_CHECKSUM_SHA256;
    config->s3_storage_class = (char *)"STANDARD_IA";
    config->s3_tagging = (char *)"team=matching&cost%20centre=4711";
    config->s3_acl = (char *)"bucket-owner-full-control";
}

static const char *const CREATING[][2] = {
    {"x-amz-server-side-encryption", "aws:kms"}, {"x-amz-server-side-encryption-aws-kms-key-id", "key-1"},
    {"x-amz-storage-class", "STANDARD_IA"},      {"x-amz-tagging", "team=matching&cost%20centre=4711"},
    {"x-amz-acl", "bucket-owner-full-control"},  {"Content-Type", "application/gzip"}};
#define CREATING_COUNT (sizeof(CREATING) / sizeof(CREATING[0]))

static void commit__storage_class_tags_and_acl__are_on_what_creates_the_object(void **state)
{
    struct bench *bench = *state;

    set_all(&bench->config);
    assert_int_equal(put(bench, SMALL_BYTES), UEX_OK);
    for (size_t i = 0; i < CREATING_COUNT; i++)
        assert_sent(bench, "PUT", NULL, CREATING[i][0], CREATING[i][1]);
    assert_sent(bench, "PUT", NULL, "If-None-Match", "*");
    assert_non_null(sent(bench, "PUT", NULL, "x-amz-checksum-sha256"));
    assert_non_null(sent(bench, "PUT", NULL, "x-amz-meta-export-sha256"));
    assert_int_equal(put(bench, BIG_BYTES), UEX_OK);
    for (size_t i = 0; i < CREATING_COUNT; i++) {
        assert_sent(bench, "POST", "?uploads=", CREATING[i][0], CREATING[i][1]);
        assert_sent(bench, "PUT", "?partNumber=1&", CREATING[i][0], NULL);
        if (i + 1 < CREATING_COUNT) /* the completion has a media type of its own */
            assert_sent(bench, "POST", "?uploadId=", CREATING[i][0], NULL);
    }
    assert_sent(bench, "POST", "?uploads=", "x-amz-checksum-algorithm", "SHA256");
    assert_non_null(sent(bench, "POST", "?uploads=", "x-amz-meta-export-command-id"));
}

static void probe__headers__are_those_of_an_export(void **state)
{
    struct bench *bench = *state;
    char sha256[UEX_S3_CHECKSUM_SIZE], other_sha256[UEX_S3_CHECKSUM_SIZE], part[256];

    set_all(&bench->config);
    if (probe(bench) != UEX_OK)
        fail_msg("%s", bench->fault.text);
    for (size_t i = 0; i < CREATING_COUNT; i++) {
        assert_sent(bench, "PUT", NULL, CREATING[i][0], CREATING[i][1]);
        assert_sent(bench, "POST", "?uploads=", CREATING[i][0], CREATING[i][1]);
    }
    assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_SHA256, uex_bytes_of_text("0"), NULL, sha256), UEX_OK);
    assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_SHA256, uex_bytes_of_text("1"), NULL, other_sha256), UEX_OK);
    assert_sent(bench, "POST", "?uploads=", "x-amz-checksum-algorithm", "SHA256");
    assert_sent(bench, "PUT", "?partNumber=1&", "x-amz-checksum-sha256", sha256);
    assert_sent(bench, "PUT", NULL, "x-amz-checksum-sha256", other_sha256); /* wrong, as the signed digest is */
    snprintf(part, sizeof(part), "<ChecksumSHA256>%s</ChecksumSHA256></Part></CompleteMultipartUpload>", sha256);
    assert_non_null(strstr(bench->fake->completion, part)); /* so that it fails for the part that is not there */
}

static void object_lock__no_checksum__refusal_names_the_setting(void **state)
{
    struct bench *bench = *state;

    bench->fake->has_object_lock = true;
    assert_int_equal(put(bench, SMALL_BYTES), UEX_STORE_FAILED);
    assert_non_null(strstr(bench->fault.text, "PUT of an object in bucket bucket: HTTP 400 InvalidRequest"));
    assert_string_equal(bench->fault.text + strlen(bench->fault.text) - strlen(HINT), HINT);
    assert_int_equal(put(bench, BIG_BYTES), UEX_STORE_FAILED);
    assert_string_equal(bench->fault.text + strlen(bench->fault.text) - strlen(HINT), HINT);
    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 0);
}

static void object_lock__no_checksum__is_an_outage_that_names_the_setting(void **state)
{
    struct bench *bench = *state;

    bench->fake->has_object_lock = true;
    assert_int_equal(probe(bench), UEX_STORE_REFUSED);
    assert_string_equal(bench->fault.text + strlen(bench->fault.text) - strlen(HINT), HINT);
    /* a store that demands it of objects only */
    bench->fake->has_object_lock = false;
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 1, 1, FAKE_ANSWER, 400, FAKE_OBJECT_LOCK};
    assert_int_equal(probe(bench), UEX_STORE_REFUSED);
    assert_int_equal(bench->fake->rules[0].count, 0);
    assert_string_equal(bench->fault.text + strlen(bench->fault.text) - strlen(HINT), HINT);
}

static void object_lock__with_a_checksum__takes_exports_and_the_probe(void **state)
{
    struct bench *bench = *state;

    bench->fake->has_object_lock = true;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        bench->config.s3_checksum = KINDS[i].kind;
        assert_int_equal(put(bench, SMALL_BYTES), UEX_OK);
        assert_int_equal(put(bench, BIG_BYTES), UEX_OK);
        if (probe(bench) != UEX_OK)
            fail_msg("%s: %s", KINDS[i].header, bench->fault.text);
        assert_int_equal(fake_item_count(bench->fake, FAKE_OBJECT), 0);
        assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commit__one_put__has_the_checksum_of_the_object),
        TEST(commit__upload_in_parts__each_part_and_the_list_have_a_checksum),
        TEST(commit__nothing_is_set__has_none_of_the_headers),
        TEST(commit__storage_class_tags_and_acl__are_on_what_creates_the_object),
        TEST(probe__headers__are_those_of_an_export),
        TEST(object_lock__no_checksum__refusal_names_the_setting),
        TEST(object_lock__no_checksum__is_an_outage_that_names_the_setting),
        TEST(object_lock__with_a_checksum__takes_exports_and_the_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
