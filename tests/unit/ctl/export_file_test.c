/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/export/file.h"

static char folder[64], path[128];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/export-file-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/g.csv.gz", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails where anything was left behind */
}

static enum uex_error write_text(struct uex_export_file *file, const char *text)
{
    return uex_export_file_write(file, uex_bytes_of_text(text), NULL);
}

static void assert_content(const char *expected)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof(text) - 1, file), strlen(expected));
    assert_string_equal(text, expected);
    fclose(file);
}

static void publish__new_file__appears_whole_and_private(void **state)
{
    struct uex_export_file file = {.fd = -1};
    struct stat found;

    (void)state;
    assert_int_equal(uex_export_file_open(&file, path, false, NULL), UEX_OK);
    assert_int_equal(write_text(&file, "one"), UEX_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(write_text(&file, "two"), UEX_OK);
    assert_int_equal(uex_export_file_publish(&file, NULL), UEX_OK);
    uex_export_file_discard(&file);
    assert_int_equal(file.size_bytes, 6);
    assert_content("onetwo");
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
}

static void discard__unfinished__leaves_nothing(void **state)
{
    struct uex_export_file file = {.fd = -1};

    (void)state;
    assert_int_equal(uex_export_file_open(&file, path, false, NULL), UEX_OK);
    assert_int_equal(write_text(&file, "one"), UEX_OK);
    uex_export_file_discard(&file);
    assert_int_not_equal(access(path, F_OK), 0);
    uex_export_file_discard(&file);
}

static void open__file_that_is_there__is_refused_without_force(void **state)
{
    struct uex_export_file file = {.fd = -1};
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_export_file_open(&file, path, false, NULL), UEX_OK);
    assert_int_equal(write_text(&file, "old"), UEX_OK);
    assert_int_equal(uex_export_file_publish(&file, NULL), UEX_OK);
    uex_export_file_discard(&file);
    assert_int_equal(uex_export_file_open(&file, path, false, &fault), UEX_CONFIG);
    assert_non_null(strstr(fault.text, "--force"));
    uex_export_file_discard(&file);
    assert_int_equal(uex_export_file_open(&file, path, true, NULL), UEX_OK);
    assert_int_equal(write_text(&file, "new"), UEX_OK);
    assert_content("old");
    assert_int_equal(uex_export_file_publish(&file, NULL), UEX_OK);
    uex_export_file_discard(&file);
    assert_content("new");
}

static void publish__name_taken_meanwhile__is_refused(void **state)
{
    struct uex_export_file file = {.fd = -1};
    struct uex_fault fault = {0};
    FILE *other = NULL;

    (void)state;
    assert_int_equal(uex_export_file_open(&file, path, false, NULL), UEX_OK);
    assert_int_equal(write_text(&file, "mine"), UEX_OK);
    other = fopen(path, "w");
    fputs("theirs", other);
    fclose(other);
    assert_int_equal(uex_export_file_publish(&file, &fault), UEX_CONFIG);
    uex_export_file_discard(&file);
    assert_content("theirs");
}

static void open__what_is_no_place_for_a_file__is_refused(void **state)
{
    struct uex_export_file file = {.fd = -1};
    struct uex_fault fault = {0};
    char nowhere[128];

    (void)state;
    snprintf(nowhere, sizeof(nowhere), "%s/none/g.csv.gz", folder);
    assert_int_equal(uex_export_file_open(&file, folder, true, &fault), UEX_CONFIG);
    assert_non_null(strstr(fault.text, "directory"));
    uex_export_file_discard(&file);
    assert_int_equal(uex_export_file_open(&file, nowhere, false, &fault), UEX_CONFIG);
    uex_export_file_discard(&file);
}

static void write__device__is_written_directly(void **state)
{
    struct uex_export_file file = {.fd = -1};
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_export_file_open(&file, "/dev/null", false, NULL), UEX_OK);
    assert_int_equal(write_text(&file, "x"), UEX_OK);
    assert_int_equal(uex_export_file_publish(&file, NULL), UEX_OK);
    uex_export_file_discard(&file);
    assert_int_equal(uex_export_file_open(&file, "/dev/full", false, NULL), UEX_OK);
    assert_int_equal(uex_export_file_write(&file, uex_bytes_of_text("x"), &fault), UEX_SPOOL);
    assert_non_null(strstr(fault.text, "No space"));
    uex_export_file_discard(&file);
}

int main(void)
{
#define IN_FOLDER(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(publish__new_file__appears_whole_and_private),
        IN_FOLDER(discard__unfinished__leaves_nothing),
        IN_FOLDER(open__file_that_is_there__is_refused_without_force),
        IN_FOLDER(publish__name_taken_meanwhile__is_refused),
        IN_FOLDER(open__what_is_no_place_for_a_file__is_refused),
        IN_FOLDER(write__device__is_written_directly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
