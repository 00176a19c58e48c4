/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of log lines, and the table of them in docs/audit.md. UEX_WRITE_DOCS=1 writes that table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/buffer.h"
#include "export/event.h"

#define DOCUMENT UEX_SOURCE_DIR "/docs/audit.md"
#define TABLE_BEGIN "<!-- events: made from include/export/event.h -->\n"
#define TABLE_END "<!-- end of events -->\n"

static void code__each__is_lower_case_words_and_unique(void **state)
{
    (void)state;
    for (int i = 0; i < UEX_EVENT_COUNT; i++) {
        const char *code = uex_event_code((enum uex_event)i);

        assert_int_equal(code[strspn(code, "abcdefghijklmnopqrstuvwxyz-")], '\0');
        assert_true(code[0] != '\0' && code[0] != '-');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(code, uex_event_code((enum uex_event)j));
    }
}

static void append_table(struct uex_buffer *out)
{
#define GROUP(title_) uex_buffer_append_text(out, "\n### " title_ "\n\n| event | meaning |\n|---|---|\n");
#define EVENT(name_, code_, meaning_) uex_buffer_append_text(out, "| `" code_ "` | " meaning_ " |\n");
    UEX_EVENT_TABLE(GROUP, EVENT)
#undef GROUP
#undef EVENT
    uex_buffer_append_text(out, "\n");
}

static void read_document(struct uex_buffer *out)
{
    FILE *file = fopen(DOCUMENT, "r");
    char piece[4096];
    size_t got = 0;

    assert_non_null(file);
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
        uex_buffer_append(out, piece, got);
    assert_int_equal(fclose(file), 0);
}

static void write_document(const struct uex_buffer *text)
{
    FILE *file = fopen(DOCUMENT, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->size_bytes, file), text->size_bytes);
    assert_int_equal(fclose(file), 0);
}

static void document__audit__holds_the_table(void **state)
{
    struct uex_buffer found = {0}, expected = {0};
    const char *begin = NULL, *end = NULL;

    (void)state;
    read_document(&found);
    begin = strstr(uex_buffer_text(&found), TABLE_BEGIN);
    end = strstr(uex_buffer_text(&found), TABLE_END);
    assert_true(begin != NULL && end != NULL && begin < end);
    uex_buffer_append(&expected, found.data, (size_t)((const uint8_t *)begin - found.data) + strlen(TABLE_BEGIN));
    append_table(&expected);
    uex_buffer_append_text(&expected, end);
    assert_false(uex_buffer_failed(&expected));
    if (getenv("UEX_WRITE_DOCS") != NULL)
        write_document(&expected);
    else if (strcmp(uex_buffer_text(&found), uex_buffer_text(&expected)) != 0)
        fail_msg("%s is not what the table gives; UEX_WRITE_DOCS=1 writes it anew", DOCUMENT);
    uex_buffer_clear(&found);
    uex_buffer_clear(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code__each__is_lower_case_words_and_unique),
        cmocka_unit_test(document__audit__holds_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
