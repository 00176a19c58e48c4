/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "kafka/offset_window.h"

static void complete__out_of_order__commits_only_the_contiguous_prefix(void **state)
{
    struct uex_window window;

    (void)state;
    uex_window_restore(&window, 10, (struct uex_bytes){0}, NULL);
    for (int64_t offset = 10; offset < 15; offset++)
        uex_window_see(&window, offset);
    uex_window_complete(&window, 12);
    uex_window_complete(&window, 11);
    assert_int_equal(window.base, 10);
    assert_true(uex_window_finished(&window, 12));
    uex_window_complete(&window, 10);
    assert_int_equal(window.base, 13);
    assert_false(uex_window_finished(&window, 13));
}

static void see__gap_before_an_offset__counts_as_finished(void **state)
{
    struct uex_window window;

    (void)state;
    uex_window_restore(&window, 5, uex_bytes_of_text(""), NULL);
    uex_window_see(&window, 5);
    uex_window_see(&window, 9);
    assert_int_equal(window.base, 5);
    uex_window_complete(&window, 5);
    assert_int_equal(window.base, 9);
    uex_window_complete(&window, 9);
    assert_int_equal(window.base, 10);
}

static void see_end__after_markers__moves_the_position_to_the_end(void **state)
{
    struct uex_window window;

    (void)state;
    uex_window_init(&window);
    uex_window_see(&window, 3);
    uex_window_complete(&window, 3);
    uex_window_see_end(&window, 7);
    assert_int_equal(window.base, 7);
    assert_int_equal(window.next, 7);
}

static void see__first_record_of_an_unknown_position__starts_there(void **state)
{
    struct uex_window window;

    (void)state;
    uex_window_init(&window);
    assert_true(uex_window_fits(&window, 123456789));
    uex_window_see(&window, 123456789);
    assert_int_equal(window.base, 123456789);
    assert_false(uex_window_finished(&window, 123456788 + 1));
    assert_true(uex_window_finished(&window, 123456788));
}

static void restore__metadata_of_encode__is_the_same_window(void **state)
{
    struct uex_window window;
    struct uex_window copy;
    struct uex_buffer metadata = {0};
    struct uex_markers markers;
    struct uex_markers read;

    (void)state;
    uex_markers_init(&markers);
    markers.partition_count = 12;
    markers.open_until = 5000;
    uex_markers_set_starts(&markers, 1000, 3);
    uex_markers_set_starts(&markers, 999, 2); /* finished: left out */
    uex_window_restore(&window, 1000, (struct uex_bytes){0}, NULL);
    for (int64_t offset = 1000; offset < 1000 + UEX_WINDOW_SPAN; offset++)
        uex_window_see(&window, offset);
    for (int64_t offset = 1001; offset < 1000 + UEX_WINDOW_SPAN; offset += 1 + offset % 7)
        uex_window_complete(&window, offset);
    uex_window_encode(&window, &markers, &metadata);
    metadata.data[metadata.size_bytes] = 'x'; /* as librdkafka gives it: without a NUL behind it */
    uex_window_restore(&copy, window.base, uex_buffer_bytes(&metadata), &read);
    assert_int_equal(read.partition_count, 12);
    assert_int_equal(read.open_until, 5000);
    assert_int_equal(read.start_count, 1);
    assert_int_equal(uex_markers_starts(&read, 1000), 3);
    for (int64_t offset = 990; offset < 1000 + UEX_WINDOW_SPAN; offset++)
        assert_int_equal(uex_window_finished(&window, offset), uex_window_finished(&copy, offset));
    uex_buffer_clear(&metadata);
}

static void encode__widest_window__fits_the_brokers_bound(void **state)
{
    struct uex_window window;
    struct uex_buffer metadata = {0};
    struct uex_markers markers;
    const int64_t first = INT64_MAX / 2;

    (void)state;
    uex_markers_init(&markers);
    markers.partition_count = INT32_MAX;
    markers.open_until = INT64_MAX;
    uex_window_restore(&window, first, (struct uex_bytes){0}, NULL);
    for (int64_t i = 0; i < UEX_STARTS_MAX + 3; i++)
        uex_markers_set_starts(&markers, first + i * 0, 1 + i);
    for (int64_t i = 0; i < UEX_STARTS_MAX; i++)
        uex_markers_set_starts(&markers, INT64_MAX - i, 100000);
    for (int64_t offset = first; offset < first + UEX_WINDOW_SPAN; offset++)
        uex_window_see(&window, offset);
    assert_false(uex_window_fits(&window, first + UEX_WINDOW_SPAN));
    for (int64_t offset = first + 1; offset < first + UEX_WINDOW_SPAN; offset++)
        uex_window_complete(&window, offset);
    assert_int_equal(window.base, first);
    uex_window_encode(&window, &markers, &metadata);
    assert_true(metadata.size_bytes < UEX_WINDOW_METADATA_MAX);
    uex_window_complete(&window, first);
    assert_int_equal(window.base, first + UEX_WINDOW_SPAN);
    assert_true(uex_window_fits(&window, first + UEX_WINDOW_SPAN));
    uex_buffer_clear(&metadata);
}

static void restore__damaged_metadata__keeps_the_offset(void **state)
{
    static const char *const texts[] = {"",
                                        "hello",
                                        "uex1",
                                        "uex1;",
                                        "uex1;n=x;b=",
                                        "uex1;n=3;b=!!!!",
                                        "uex1;b=AAA",
                                        "uex2;n=1;b=/w==",
                                        "uex1;n=-4;b=AA==",
                                        "uex1;n=99999999999999;b=",
                                        "uex1;u=;s=,:5,7",
                                        "uex1;s=1:2:3,;u=-7"};
    struct uex_window window;
    struct uex_markers markers;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uex_window_restore(&window, 77, uex_bytes_of_text(texts[i]), &markers);
        assert_int_equal(window.base, 77);
        assert_true(markers.partition_count == 0 || markers.partition_count == 3);
        assert_true(markers.open_until == UEX_OFFSET_NONE || markers.open_until == 0);
    }
}

static void restore__bitmap_longer_than_the_span__is_cut(void **state)
{
    struct uex_window window;
    char *metadata = calloc(1, UEX_WINDOW_METADATA_MAX + 64);

    (void)state;
    strcpy(metadata, "uex1;n=1;b=");
    memset(metadata + strlen(metadata), '/', 4084);
    uex_window_restore(&window, 0, uex_bytes_of_text(metadata), NULL);
    assert_int_equal(window.base, UEX_WINDOW_SPAN);
    free(metadata);
}

/* Against a plain array of flags. */
static void complete__random_order__agrees_with_a_plain_model(void **state)
{
    enum { count = 60000 };
    static uint8_t finished[count + 1];
    struct uex_window window;
    int64_t base = 0;
    int64_t seen = 0;

    (void)state;
    srandom(7);
    memset(finished, 0, sizeof(finished));
    uex_window_restore(&window, 0, (struct uex_bytes){0}, NULL);
    while (base < count) {
        const int64_t ahead = base + random() % 3000;

        while (seen <= ahead && seen < count && uex_window_fits(&window, seen))
            uex_window_see(&window, seen++);
        if (ahead < seen) {
            uex_window_complete(&window, ahead);
            finished[ahead] = 1;
        }
        if (random() % 4 == 0 && base < seen) {
            uex_window_complete(&window, base);
            finished[base] = 1;
        }
        while (base < count && finished[base] != 0)
            base++;
        assert_int_equal(window.base, base);
    }
}

static void cut__above_and_below_the_base__forgets_what_stands_from_there_on(void **state)
{
    struct uex_window window;
    const int64_t far = 1000 + UEX_WINDOW_SPAN + 5000; /* the bits have slid */

    (void)state;
    uex_window_restore(&window, 1000, (struct uex_bytes){0}, NULL);
    for (int64_t offset = 1000; offset < far + 20; offset++) {
        uex_window_see(&window, offset);
        if (offset != far && offset != far + 10)
            uex_window_complete(&window, offset);
    }
    uex_window_cut(&window, far + 20); /* its end: nothing is gone */
    assert_true(uex_window_finished(&window, far + 19));
    uex_window_cut(&window, far + 12);
    assert_int_equal(window.base, far);
    assert_int_equal(window.next, far + 12);
    assert_true(uex_window_finished(&window, far + 11));
    for (int64_t offset = far + 12; offset < far + 20; offset++)
        assert_false(uex_window_finished(&window, offset));
    uex_window_cut(&window, far - 3);
    assert_int_equal(window.base, far - 3);
    assert_int_equal(window.next, far - 3);
    assert_false(uex_window_finished(&window, far + 1));
    uex_window_init(&window);
    uex_window_cut(&window, 5);
    assert_true(window.base == UEX_OFFSET_NONE);
}

static void restore__numbers_at_the_end_of_the_range__are_not_taken(void **state)
{
    static const char text[] =
        "uex1;n=99999999999999999999;u=9223372036854775807;s=9223372036854775807:9223372036854775807,"
        "3:9223372036854775807,5:x;b=/////w==";
    struct uex_window window;
    struct uex_markers markers;
    struct uex_buffer out = {0};

    (void)state;
    uex_window_restore(&window, INT64_MAX - 3, uex_bytes_of_text(text), &markers);
    assert_true(window.base == UEX_OFFSET_NONE);
    assert_true(markers.open_until == UEX_OFFSET_NONE);
    uex_window_restore(&window, UEX_OFFSET_MAX, uex_bytes_of_text(text), &markers);
    uex_window_see(&window, UEX_OFFSET_MAX + 40);
    uex_window_complete(&window, UEX_OFFSET_MAX + 41);
    uex_window_encode(&window, &markers, &out);
    assert_false(uex_buffer_failed(&out));
    uex_buffer_clear(&out);
    uex_window_restore(&window, 2, uex_bytes_of_text(text), &markers);
    assert_true(markers.open_until == UEX_OFFSET_MAX);
    assert_int_equal(markers.partition_count, 0);
    assert_int_equal(uex_markers_starts(&markers, 3), UEX_START_COUNT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete__out_of_order__commits_only_the_contiguous_prefix),
        cmocka_unit_test(see__gap_before_an_offset__counts_as_finished),
        cmocka_unit_test(see_end__after_markers__moves_the_position_to_the_end),
        cmocka_unit_test(see__first_record_of_an_unknown_position__starts_there),
        cmocka_unit_test(restore__metadata_of_encode__is_the_same_window),
        cmocka_unit_test(encode__widest_window__fits_the_brokers_bound),
        cmocka_unit_test(restore__damaged_metadata__keeps_the_offset),
        cmocka_unit_test(restore__bitmap_longer_than_the_span__is_cut),
        cmocka_unit_test(cut__above_and_below_the_base__forgets_what_stands_from_there_on),
        cmocka_unit_test(restore__numbers_at_the_end_of_the_range__are_not_taken),
        cmocka_unit_test(complete__random_order__agrees_with_a_plain_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
