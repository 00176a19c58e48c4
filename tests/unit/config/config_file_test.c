/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/config/config_fixture.h"

static void file__plain_settings__are_read_whatever_the_spaces_and_line_ends(void **state)
{
    static const char *const texts[] = {
        "[log]\nlevel = debug\n[topics]\ndlq = x\n",
        "[log]\r\nlevel = debug\r\n[topics]\r\ndlq = x\r\n",
        "[log]\nlevel=debug\n[topics]\ndlq=x",
        "\xef\xbb\xbf[log]\nlevel = debug\n[topics]\ndlq = x\n",
        "  [log]  \n\tlevel\t=\tdebug\t\n\n\n [ topics ]\n     dlq   =   x   \n",
        "; a comment\n# another = one\n[log]\nlevel = debug\n  # indented\n[topics]\ndlq = x\n[log]\n",
        "log.level = debug\n[topics]\ndlq = x\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct loaded loaded = load_file(texts[i]);

        assert_loaded(&loaded);
        assert_int_equal(loaded.config.log_level, UEX_LOG_DEBUG);
        assert_string_equal(loaded.config.topics_dlq, "x");
        unload(&loaded);
    }
}

static void file__values_that_look_like_comments_or_pairs__are_kept_whole(void **state)
{
    struct loaded loaded = load_file("[s3]\naccess_key_id = ;x\nsecret_access_key = a ;b # c = d : \"e\" [f]\n"
                                     "[postgres]\ndsn = host=/run user=u password='a ; b' \n[kafka]\n"
                                     "sasl.password = #1 ;\nsasl.username=\"quoted\"\n");

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.s3_access_key_id, ";x");
    assert_string_equal(loaded.config.s3_secret_access_key, "a ;b # c = d : \"e\" [f]");
    assert_string_equal(loaded.config.postgres_dsn, "host=/run user=u password='a ; b'");
    assert_string_equal(uex_config_kafka(&loaded.config, "sasl.password"), "#1 ;");
    assert_string_equal(uex_config_kafka(&loaded.config, "sasl.username"), "\"quoted\"");
    unload(&loaded);
}

static void file__long_values__arrive_whole_up_to_the_limit(void **state)
{
    static const size_t sizes[] = {150, 196, 197, 198, 199, 200, 201, 4000, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct uex_buffer text = {0};
        struct loaded loaded = {0};

        uex_buffer_append_text(&text, "[export]\nmask_key = ");
        for (size_t j = 0; j < sizes[i]; j++)
            uex_buffer_append(&text, &"0123456789"[j % 10], 1);
        uex_buffer_append_text(&text, "\nlanes = 7\n");
        loaded = load_file(uex_buffer_text(&text));
        assert_loaded(&loaded);
        assert_int_equal(strlen(loaded.config.export_mask_key), sizes[i]);
        assert_memory_equal(loaded.config.export_mask_key, uex_buffer_text(&text) + 20, sizes[i]);
        assert_int_equal(loaded.config.export_lanes, 7);
        unload(&loaded);
        uex_buffer_clear(&text);
    }
}

static void file__value_or_file_beyond_the_limit__is_a_problem(void **state)
{
    size_t size_bytes = (size_t)2 << 20;
    char *text = malloc(size_bytes + 1);
    struct loaded loaded = {0};

    (void)state;
    assert_non_null(text);
    memset(text, 'x', size_bytes);
    memcpy(text, "[log]\nlevel = ", 14);
    text[1000000] = '\0';
    loaded = load_file(text);
    assert_one_problem(&loaded, "line 2");
    assert_true(loaded.problems.size_bytes < 300);
    unload(&loaded);
    text[1000000] = 'x';
    text[size_bytes] = '\0';
    loaded = load_file(text);
    assert_one_problem(&loaded, "cannot be read: longer than 1048576 bytes");
    unload(&loaded);
    free(text);
}

static void file__zero_byte__is_a_problem(void **state)
{
    struct loaded loaded = load_file_bytes("[log]\nlevel = de\0bug\n", 21, NOTHING);

    (void)state;
    assert_one_problem(&loaded, "zero byte");
    unload(&loaded);
}

static void file__empty_or_only_comments__changes_nothing(void **state)
{
    static const char *const texts[] = {"", "\n", "\xef\xbb\xbf", "# x", ";", "[log]", "[log]\n\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct loaded loaded = load_file(texts[i]);

        assert_loaded(&loaded);
        unload(&loaded);
    }
}

static void file__lines_that_are_nothing__are_named_by_number_without_their_text(void **state)
{
    static const struct {
        const char *text;
        const char *place;
    } cases[] = {
        {"[log]\nhunter2\n", "line 2"},
        {"[s3]\nregion = x\n  hunter2\n", "line 3"},
        {"[hunter2\n", "line 1"},
        {"[]\n", "line 1"},
        {"[log] ; hunter2\n", "line 1"},
        {"[hun ter2]\nlevel = x\n", "line 1"},
        {"= hunter2\n", "line 1"},
        {"\n\npass word = hunter2\n", "line 3"},
        {"[log]\nlevel: hunter2\n", "line 2"},
        {"[log]\nlev\xc3\xa9l = hunter2\n", "line 2"},
        {"[hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2]\nx = 1", "line 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded loaded = load_file(cases[i].text);

        assert_one_problem(&loaded, cases[i].place);
        assert_lacks(&loaded.problems, "hunter2");
        unload(&loaded);
    }
}

static void file__key_without_section__is_unknown_with_a_suggestion(void **state)
{
    struct loaded loaded = load_file("level = debug\n");

    (void)state;
    assert_one_problem(&loaded, "level: unknown setting; did you mean log.level?");
    unload(&loaded);
    loaded = load_file("profile = test\n[log]\nlevel = debug\n");
    assert_loaded(&loaded);
    assert_int_equal(loaded.config.profile, UEX_PROFILE_TEST);
    unload(&loaded);
}

static void file__key_twice__is_a_problem_that_names_both_lines(void **state)
{
    struct loaded loaded = load_file("[log]\nlevel = debug\n[s3]\n[log]\nlevel = info\n");

    (void)state;
    assert_one_problem(&loaded, "log.level: was set before, in line 2");
    assert_holds(&loaded.problems, "line 5");
    unload(&loaded);
    loaded = load_file("[kafka]\nbootstrap.servers = a:1\nmetadata.broker.list = b:1\n");
    assert_one_problem(&loaded, "kafka.metadata.broker.list: was set before, in line 2");
    unload(&loaded);
}

static void file__thousands_of_settings__are_bounded(void **state)
{
    struct uex_buffer text = {0};
    struct loaded loaded = {0};

    (void)state;
    for (int i = 0; i < 40000; i++)
        uex_buffer_append_format(&text, "kafka.a%d = 1\n", i);
    loaded = load_file(uex_buffer_text(&text));
    assert_int_equal(loaded.error, UEX_CONFIG);
    assert_holds(&loaded.problems, "more than 2000 settings");
    unload(&loaded);
    uex_buffer_clear(&text);
}

static void file__pipe__is_read_to_its_end(void **state)
{
    int ends[2] = {-1, -1};
    char path[64];
    struct loaded loaded = {0};

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "[log]\nlevel = debug\n", 20), 20);
    snprintf(path, sizeof path, "--config=/dev/fd/%d", ends[0]);
    close(ends[1]);
    loaded = load_with(NOTHING, WITH(path));
    close(ends[0]);
    assert_loaded(&loaded);
    assert_int_equal(loaded.config.log_level, UEX_LOG_DEBUG);
    unload(&loaded);
}

/* Any bytes: an answer, not a crash. */
static void file__random_bytes__are_answered(void **state)
{
    static const char alphabet[] = "[]=;#:\n\r\t \"abkafka.log.level\xef\xbb\xbf\x01";
    unsigned seed = 20261122;
    char text[400];

    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t size_bytes = (size_t)rand_r(&seed) % (sizeof text - 1);
        struct loaded loaded = {0};

        for (size_t i = 0; i < size_bytes; i++)
            text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        text[size_bytes] = '\0';
        loaded = load_file(text);
        assert_true(loaded.error == UEX_OK || loaded.error == UEX_CONFIG);
        assert_true((loaded.error == UEX_OK) == (loaded.problems.size_bytes == 0));
        unload(&loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__plain_settings__are_read_whatever_the_spaces_and_line_ends),
        cmocka_unit_test(file__values_that_look_like_comments_or_pairs__are_kept_whole),
        cmocka_unit_test(file__long_values__arrive_whole_up_to_the_limit),
        cmocka_unit_test(file__value_or_file_beyond_the_limit__is_a_problem),
        cmocka_unit_test(file__zero_byte__is_a_problem),
        cmocka_unit_test(file__empty_or_only_comments__changes_nothing),
        cmocka_unit_test(file__lines_that_are_nothing__are_named_by_number_without_their_text),
        cmocka_unit_test(file__key_without_section__is_unknown_with_a_suggestion),
        cmocka_unit_test(file__key_twice__is_a_problem_that_names_both_lines),
        cmocka_unit_test(file__thousands_of_settings__are_bounded),
        cmocka_unit_test(file__pipe__is_read_to_its_end),
        cmocka_unit_test(file__random_bytes__are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
