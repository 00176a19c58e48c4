/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "worker/trace.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static struct uex_record_header header = {.name = UEX_HEADER_TRACE};
static struct uex_record record;
static struct uex_inflight inflight;

static int start(void **state)
{
    (void)state;
    record = (struct uex_record){.topic = "export-group", .headers = &header, .header_count = 1};
    header.value = uex_bytes_of_text("00-" TRACE "-" PARENT "-01");
    uex_envelope_read(&record, "export-group");
    inflight =
        (struct uex_inflight){.record = &record, .partition = 3, .offset = 17, .taken_at_ms = 1000, .attempt = 1};
    (void)snprintf(inflight.command.command_id, sizeof(inflight.command.command_id), "%s",
                   "7ab1435f-bb64-52a5-9eb2-27e3b1c67dd2");
    return 0;
}

static void trace__header__gives_trace_and_parent(void **state)
{
    struct uex_span first, second;

    (void)state;
    uex_trace_command(&inflight, &first);
    uex_trace_command(&inflight, &second);
    assert_string_equal(first.trace_id, TRACE);
    assert_string_equal(first.parent_id, PARENT);
    assert_true(first.is_sampled);
    assert_int_equal(strlen(first.span_id), 16);
    assert_string_equal(first.span_id, second.span_id);
    assert_string_not_equal(first.span_id, PARENT);
}

static void trace__another_read_of_the_record__is_another_span(void **state)
{
    struct uex_span first, second;

    (void)state;
    uex_trace_command(&inflight, &first);
    inflight.taken_at_ms++;
    uex_trace_command(&inflight, &second);
    assert_string_not_equal(first.span_id, second.span_id);
    inflight.taken_at_ms--;
    inflight.offset++;
    uex_trace_command(&inflight, &second);
    assert_string_not_equal(first.span_id, second.span_id);
}

static void trace__no_header_or_a_bad_one__is_that_of_the_command_id(void **state)
{
    struct uex_span span;

    (void)state;
    header.value = uex_bytes_of_text("01");
    for (record.header_count = 0; record.header_count < 2; record.header_count++) {
        uex_envelope_read(&record, "export-group");
        uex_trace_command(&inflight, &span);
        assert_string_equal(span.trace_id, "7ab1435fbb6452a59eb227e3b1c67dd2");
        assert_string_equal(span.parent_id, "");
        assert_false(span.is_sampled);
    }
    record.header_count = 0;
    uex_envelope_read(&record, "export-group");
    inflight.command.command_id[0] = 0; /* malformed: nothing is known of it */
    uex_trace_command(&inflight, &span);
    assert_string_equal(span.trace_id, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trace__header__gives_trace_and_parent, start),
        cmocka_unit_test_setup(trace__another_read_of_the_record__is_another_span, start),
        cmocka_unit_test_setup(trace__no_header_or_a_bad_one__is_that_of_the_command_id, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
