/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the core's operations fails once: the configuration, its display, time zones, texts. */
#include "failing_memory.h"
#include "unit/config/config_fixture.h"

#include <sys/wait.h>

#include "export/digest.h"
#include "export/program.h"
#include "export/uuid.h"

static char config_path[64];

/* Load, and note what is in force, or what is wrong. */
static enum uex_error load_and_show(const char *const *environment, const char *const *arguments)
{
    struct loaded loaded = load_with(environment, arguments);
    struct uex_buffer text = {0};
    enum uex_error err = loaded.error;

    if (err == UEX_OK) {
        uex_config_show(&loaded.config, false, &text);
        uex_config_show(&loaded.config, true, &text);
        err = uex_buffer_failed(&text) ? UEX_NO_MEMORY : UEX_OK;
        uex_torture_note("mask=%s key=%s secret=%s dsn=%s\n", loaded.config.export_mask, loaded.config.export_mask_key,
                         loaded.config.s3_secret_access_key, loaded.config.postgres_dsn);
    } else if (err == UEX_CONFIG) { /* the mistakes are the result */
        err = UEX_OK;
        uex_torture_note("refused\n");
    }
    if (err == UEX_OK)
        uex_torture_note("%s\n%s\n%s\n", uex_buffer_text(&text), uex_buffer_text(&loaded.problems),
                         uex_buffer_text(&loaded.warnings));
    uex_buffer_clear(&text);
    unload(&loaded);
    return err;
}

static enum uex_error config_of_environment(void)
{
    static const char key_file[] = "EXPORT_EXPORT_MASK_KEY_FILE=" UEX_SOURCE_DIR "/.clang-format";

    return load_and_show(WITH("EXPORT_EXPORT_MASK=email:redact,name:hash", key_file, "EXPORT_KAFKA_LINGER_MS=7",
                              "EXPORT_KAFKA_SASL_PASSWORD=p", "EXPORT_POSTGRES_DSN=host=x", "TMPDIR=/var/x",
                              "EXPORT_SCHEDULE_TIMEZONE=UTC", "EXPORT_EXPORT_DOMAIN_ID=" /* empty */,
                              "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/x"),
                         NOTHING);
}

static enum uex_error config_of_file_and_flags(void)
{
    return load_and_show(NOTHING, WITH("--config", config_path, "--export.mask=email:null", "--kafka.client.id=c",
                                       "--export.lanes", "3"));
}

static enum uex_error config_with_mistakes(void)
{
    return load_and_show(WITH("EXPORT_EXPORT_MASKS=x", "EXPORT_EXPORT_LANES=many", "EXPORT_KAFKA_LINGER=1",
                              "EXPORT_SCHEDULE_TIMEZONE=No/Where", "EXPORT_POSTGRES_DSN_FILE=/nonexistent"),
                         WITH("--topics.comand=x", "--export.mask"));
}

static enum uex_error config_help(void)
{
    struct uex_buffer text = {0};
    enum uex_error err = UEX_OK;

    uex_config_help(&text);
    err = uex_buffer_failed(&text) ? UEX_NO_MEMORY : UEX_OK;
    if (err == UEX_OK)
        uex_torture_note("%s", uex_buffer_text(&text));
    uex_buffer_clear(&text);
    return err;
}

static void torture__core__right_result_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "configuration from the environment", .run = config_of_environment},
        {.name = "configuration from file and flags", .run = config_of_file_and_flags},
        {.name = "configuration with mistakes", .run = config_with_mistakes},
        {.name = "help on the settings", .run = config_help},
    };
    static const char text[] = "[export]\nmask = email:redact\nlanes = 2\n[kafka]\nlinger.ms = 3\n[redis]\n"
                               "url = redis://u:p@h\n";

    (void)state;
    write_file(config_path, text, strlen(text));
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
    unlink(config_path);
}

/* An id or digest that is wrong would be worse than no program; there is no error to return. */
static void digests__no_memory__end_the_program_with_1(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        char id[UEX_UUID_TEXT_SIZE];
        uint8_t sha256[UEX_SHA256_SIZE];
        int status = 0;
        pid_t child = 0;

        uex_uuid_named("x", 1, id);
        fflush(NULL);
        child = fork();
        if (child == 0) {
            (void)close(STDERR_FILENO);
            uex_torture_from(1);
            if (which == 0)
                uex_uuid_named("x", 1, id);
            else if (which == 1)
                uex_sha256(uex_bytes_of_text("x"), sha256);
            else
                uex_hmac_sha256(uex_bytes_of_text("k"), uex_bytes_of_text("x"), sha256);
            _exit(77);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), UEX_EXIT_FAILED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests__no_memory__end_the_program_with_1),
        cmocka_unit_test(torture__core__right_result_or_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
