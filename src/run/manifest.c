/* SPDX-License-Identifier: Apache-2.0 */
#include "run/manifest.h"

#include <stdlib.h>

#include "export/backoff.h"
#include "export/gzip.h"
#include "export/log.h"
#include "export/text.h"
#include "run/manifest_line.h"
#include "run/outcomes.h"

#define FLUSH_BYTES ((size_t)64 << 10)
#define SECOND_MS 1000
#define LOG_EVERY_MS 60000
#define TAKEN_MAX 20 /* names in a row that others have taken */

void uex_run_manifest_clear(struct uex_run_manifest *manifest)
{
    free(manifest->path);
    *manifest = (struct uex_run_manifest){0};
}

void uex_run_manifest_key(const char *run_id, int64_t ended_at_ms, struct uex_buffer *out)
{
    char at[UEX_TIME_TEXT_SIZE];

    uex_time_format(ended_at_ms, at);
    uex_buffer_append_text(out, "_runs/");
    uex_percent_encode(out, uex_bytes_of_text(run_id));
    uex_buffer_append_text(out, "/");
    for (const char *character = at; *character != 0 && *character != '.'; character++)
        if (*character != '-' && *character != ':')
            uex_buffer_append(out, character, 1);
    uex_buffer_append_text(out, "Z.jsonl.gz");
}

/* ---- one try */

struct writing {
    struct uex_object_store *store;
    struct uex_object_writer *object;
    struct uex_gzip *gzip;
    struct uex_buffer lines; /* not compressed yet */
    uint64_t line_count;
    struct uex_fault *fault;
};

static enum uex_error write_object(void *context, struct uex_bytes data)
{
    struct writing *writing = context;

    return writing->store->write(writing->object, data, writing->fault);
}

static enum uex_error compress_lines(struct writing *writing)
{
    enum uex_error err = uex_buffer_failed(&writing->lines)
                             ? uex_fail(writing->fault, UEX_NO_MEMORY, "no memory for lines of the manifest")
                             : uex_gzip_write(writing->gzip, uex_buffer_bytes(&writing->lines));

    uex_buffer_reset(&writing->lines);
    return err;
}

static enum uex_error take_outcome(void *context, const struct uex_state_record *outcome)
{
    struct writing *writing = context;

    uex_manifest_line_write(outcome, &writing->lines);
    writing->line_count++;
    return writing->lines.size_bytes < FLUSH_BYTES && !uex_buffer_failed(&writing->lines) ? UEX_OK
                                                                                          : compress_lines(writing);
}

static enum uex_error write_lines(const struct uex_run_manifest_setup *setup, struct writing *writing)
{
    const struct uex_run_pass pass = {.config = setup->config,
                                      .run = setup->run,
                                      .members = setup->members,
                                      .wanted = uex_run_member_has_ended,
                                      .take = take_outcome,
                                      .context = writing,
                                      .wait_ms = setup->config->startup_timeout_ms,
                                      .cancel = setup->cancel};
    enum uex_error err = UEX_OK;

    uex_gzip_begin(writing->gzip, (struct uex_sink){.write = write_object, .context = writing});
    err = uex_run_pass_read(&pass, writing->fault);
    if (err == UEX_OK)
        err = compress_lines(writing);
    return err == UEX_OK ? uex_gzip_finish(writing->gzip) : err;
}

static enum uex_error begin_object(struct writing *writing, const char *run_id, int64_t ended_at_ms)
{
    struct uex_buffer key = {0};
    enum uex_error err = writing->store->prepare(writing->store, writing->fault);

    uex_run_manifest_key(run_id, ended_at_ms, &key);
    if (err == UEX_OK && uex_buffer_failed(&key))
        err = uex_fail(writing->fault, UEX_NO_MEMORY, "no memory for the manifest's name");
    if (err == UEX_OK)
        err = writing->store->begin(writing->store, uex_buffer_text(&key), &writing->object, writing->fault);
    uex_buffer_clear(&key);
    return err;
}

static enum uex_error create_object(const struct uex_run_manifest_setup *setup, struct writing *writing,
                                    struct uex_run_manifest *out)
{
    struct uex_object_facts facts = {0};
    enum uex_error err = begin_object(writing, setup->run->run_id, out->ended_at_ms);

    if (err != UEX_OK)
        return err;
    err = write_lines(setup, writing);
    if (err != UEX_OK) {
        writing->store->abort(writing->object);
        return err;
    }
    err = writing->store->commit(writing->object, writing->line_count, &facts, writing->fault);
    if (err == UEX_OK) {
        out->path = facts.url;
        facts.url = NULL;
        uex_hex(facts.sha256, sizeof(facts.sha256), out->sha256);
        out->line_count = writing->line_count;
    }
    uex_object_facts_clear(&facts);
    return err;
}

static enum uex_error try_once(const struct uex_run_manifest_setup *setup, struct uex_run_manifest *out,
                               struct uex_fault *fault)
{
    struct writing writing = {.fault = fault, .gzip = uex_gzip_new(setup->config->export_compression_level, NULL)};
    enum uex_error err = uex_object_store_new(setup->service, &writing.store, fault);

    if (err == UEX_OK && writing.gzip == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for compressing");
    if (err == UEX_OK) {
        writing.store->cancel = setup->cancel;
        err = create_object(setup, &writing, out);
    }
    if (writing.store != NULL)
        writing.store->destroy(writing.store);
    uex_gzip_free(writing.gzip);
    uex_buffer_clear(&writing.lines);
    return err;
}

/* ---- until it is there, or the time is over */

static bool is_worth_trying(enum uex_error err)
{
    return err != UEX_CANCELLED && err != UEX_NO_MEMORY && err != UEX_CONFIG && err != UEX_LIMIT;
}

static void log_wait(const struct uex_run_manifest_setup *setup, enum uex_error err, const struct uex_fault *fault,
                     int64_t *logged_ms)
{
    int64_t now_ms = uex_monotonic_ms();

    if (*logged_ms != 0 && now_ms - *logged_ms < LOG_EVERY_MS)
        return;
    *logged_ms = now_ms;
    uex_log(UEX_LOG_WARN, UEX_EVENT_RUN_MANIFEST_WAIT,
            "the manifest cannot be written yet; trying again, the run's end waits for it",
            UEX_STR("run", setup->run->run_id), UEX_STR("error", uex_error_code(err)),
            UEX_STR("detail", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text),
            UEX_INT("left_ms", setup->until_ms - now_ms));
}

enum uex_error uex_run_manifest_create(const struct uex_run_manifest_setup *setup, struct uex_run_manifest *out,
                                       struct uex_fault *fault)
{
    int64_t logged_ms = 0;
    unsigned failed = 0, taken = 0;

    *out = (struct uex_run_manifest){.ended_at_ms = uex_wall_ms()};
    for (;;) {
        enum uex_error err = try_once(setup, out, fault);
        int64_t left_ms = setup->until_ms - uex_monotonic_ms(), pause_ms = 0;

        if (err == UEX_OK || !is_worth_trying(err))
            return err;
        if (err == UEX_OBJECT_EXISTS && taken++ < TAKEN_MAX) {
            out->ended_at_ms += SECOND_MS;
            continue;
        }
        if (left_ms <= 0)
            return err;
        log_wait(setup, err, fault, &logged_ms);
        pause_ms = uex_backoff_ms(++failed);
        if (!uex_sleep_ms(pause_ms < left_ms ? pause_ms : left_ms, setup->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped while writing the manifest");
    }
}
