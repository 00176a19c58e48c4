/* SPDX-License-Identifier: Apache-2.0 */
/* run finish: writes the end of a run again, as the states have it now. */
#include <inttypes.h>

#include "check/checks.h"
#include "ctl/options.h"
#include "ctl/run/run.h"
#include "ctl/subcommands.h"
#include "run/end.h"
#include "run/manifest.h"

struct finishing {
    struct uex_run_watch watch;
    struct uex_store_service *service; /* NULL: there is to be no manifest, and there was none */
    struct uex_run_manifest manifest;
    struct uex_run_counts counts;
    struct uex_run_record found; /* the run's record afterwards */
    bool written;
};

/* Only the manifest needs the store. Whether the end that is replaced has one is not known yet. */
void uex_run_finish_check(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    uex_check_kafka(config, problems);
    if (config->schedule_manifest && uex_config_require(config, UEX_NEED_STORAGE, problems) == UEX_OK &&
        uex_object_store_check(config, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "storage.url: %s\n", fault.text);
}

static enum uex_error create_manifest(struct finishing *finishing, struct uex_fault *fault)
{
    const struct uex_config *config = finishing->watch.config;
    const struct uex_run_manifest_setup setup = {.config = config,
                                                 .service = finishing->service,
                                                 .run = &finishing->watch.record,
                                                 .members = &finishing->watch.members,
                                                 .until_ms = uex_monotonic_ms() + config->startup_timeout_ms,
                                                 .cancel = &uex_program_cancel};

    if (finishing->service == NULL || finishing->counts.unfinished > 0)
        return UEX_OK;
    return uex_run_manifest_create(&setup, &finishing->manifest, fault);
}

static enum uex_error write_end(struct finishing *finishing, struct uex_fault *fault)
{
    const struct uex_run_record *record = &finishing->watch.record;
    const struct uex_run_manifest *manifest = &finishing->manifest;
    struct uex_run_record end = uex_run_end_of(record, &finishing->counts);

    if (manifest->path != NULL) {
        end.ended_at_ms = manifest->ended_at_ms;
        end.manifest_path = manifest->path;
        memcpy(end.manifest_sha256, manifest->sha256, sizeof(end.manifest_sha256));
    }
    return uex_run_end(finishing->watch.config, record, &end, finishing->watch.config->startup_timeout_ms,
                       &uex_program_cancel, &finishing->written, &finishing->found, fault);
}

/* UEX_END: groups have not ended, and nobody said --force. */
static enum uex_error finish(struct finishing *finishing, struct uex_fault *fault)
{
    enum uex_error err = uex_run_watch_open(&finishing->watch, fault);

    if (err == UEX_OK)
        err = uex_run_watch_catch_up(&finishing->watch, fault);
    if (err != UEX_OK)
        return err;
    finishing->counts = uex_run_follow_counts(finishing->watch.follow);
    if (finishing->counts.unfinished > 0 && !uex_ctl_options.force)
        return UEX_END;
    err = create_manifest(finishing, fault);
    return err == UEX_OK ? write_end(finishing, fault) : err;
}

static int print(const struct finishing *finishing, enum uex_output format)
{
    const struct uex_run_record *record = &finishing->found;
    struct uex_buffer out = {0};
    bool printed = false;

    if (format == UEX_OUTPUT_JSON) {
        uex_buffer_append_text(&out, "{\"run\": ");
        uex_run_record_write_json(record, &out);
        uex_buffer_append_format(&out, ", \"written\": %s}\n", finishing->written ? "true" : "false");
    } else if (finishing->written) {
        uex_buffer_append_text(&out, "run ");
        uex_output_append_clean(&out, record->run_id);
        uex_buffer_append_format(&out, ": %s, ", uex_run_status_text(record->status));
        uex_run_counts_write(&finishing->counts, &out);
        uex_buffer_append_text(&out, "\n");
        uex_run_record_write_lines(record, &out);
    }
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    if (!finishing->written)
        uex_output_error("the run's record has changed meanwhile (it is %s now); nothing was written",
                         uex_run_status_text(record->status));
    return printed && finishing->written ? uex_run_exit_of(&finishing->counts) : UEX_EXIT_FAILED;
}

/* An end that has a manifest is not replaced by one that has none: readers of the run rely on it. */
static enum uex_error open_store(struct finishing *finishing, struct uex_fault *fault)
{
    const struct uex_config *config = finishing->watch.config;
    const bool had_manifest = finishing->watch.record.manifest_path != NULL;
    struct uex_buffer problems = {0};
    enum uex_error err = UEX_OK;

    if (!config->schedule_manifest && !had_manifest)
        return UEX_OK;
    if (uex_config_require(config, UEX_NEED_STORAGE, &problems) != UEX_OK)
        err = uex_fail(fault, UEX_CONFIG,
                       "run %s has a manifest, so its new end needs one, and this process has no store: %s",
                       finishing->watch.record.run_id, uex_buffer_text(&problems));
    uex_buffer_clear(&problems);
    return err == UEX_OK ? uex_store_service_new(config, &finishing->service, fault) : err;
}

static int finish_run(struct finishing *finishing, enum uex_output format)
{
    struct uex_fault fault = {0};
    enum uex_error err = open_store(finishing, &fault);

    if (err == UEX_OK)
        err = finish(finishing, &fault);
    if (err == UEX_OK)
        return print(finishing, format);
    if (err != UEX_END)
        return uex_output_fail(err, &fault);
    uex_output_error("%" PRIu64 " of %" PRIu64
                     " groups have not ended, so nothing was written; exportctl run wait waits "
                     "for them, --force writes that the run is incomplete",
                     finishing->counts.unfinished, finishing->counts.groups);
    return UEX_EXIT_FAILED;
}

int uex_run_finish_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct finishing finishing = {.watch = {.config = config}};
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        return code;
    code = uex_ctl_run_operand(config, operand_count, operands, &finishing.watch.record);
    if (code == UEX_EXIT_DONE)
        code = finish_run(&finishing, format);
    uex_run_watch_close(&finishing.watch);
    uex_run_manifest_clear(&finishing.manifest);
    uex_run_record_clear(&finishing.found);
    uex_store_service_free(finishing.service);
    return code;
}
