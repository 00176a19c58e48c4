/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/kafka_fixture.h"

#include "kafka/trace_parent.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static bool parse(const char *text, struct uex_trace_parent *out)
{
    return uex_trace_parent_parse(uex_bytes_of_text(text), out);
}

/* W3C Trace Context, section 3.2.2.5: both examples. */
static void trace_parent__examples_of_the_standard__are_read(void **state)
{
    struct uex_trace_parent found;

    (void)state;
    assert_true(parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &found));
    assert_string_equal(found.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(found.span_id, "00f067aa0ba902b7");
    assert_true(found.is_sampled);
    assert_true(parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", &found));
    assert_false(found.is_sampled);
}

static void trace_parent__other_flags_and_later_versions__are_read(void **state)
{
    struct uex_trace_parent found;

    (void)state;
    assert_true(parse("00-" TRACE "-" SPAN "-03", &found));
    assert_true(found.is_sampled);
    assert_true(parse("00-" TRACE "-" SPAN "-fe", &found));
    assert_false(found.is_sampled);
    assert_true(parse("cc-" TRACE "-" SPAN "-01-what-comes", &found));
    assert_string_equal(found.trace_id, TRACE);
}

static void trace_parent__of_another_form__is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-01 ",
        "cc-" TRACE "-" SPAN "-01.more",
        "ff-" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0G",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-0af7651916cd43dd8448eb211c80319-" SPAN "-01xx",
    };
    struct uex_trace_parent found;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(parse(bad[i], &found));
        assert_string_equal(found.trace_id, "");
    }
    assert_false(uex_trace_parent_parse((struct uex_bytes){0}, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_parent__examples_of_the_standard__are_read),
        cmocka_unit_test(trace_parent__other_flags_and_later_versions__are_read),
        cmocka_unit_test(trace_parent__of_another_form__is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
