/* SPDX-License-Identifier: Apache-2.0 */
#include "report/publish.h"

#include <stdlib.h>
#include <time.h>

#include "run/manifest.h"

#define MANIFEST_ENDING ".jsonl.gz"
#define PAGE_ENDING ".html"

bool uex_report_set_zone(const struct uex_config *config)
{
    if (setenv("TZ", config->schedule_timezone, 1) != 0)
        return false;
    tzset();
    return true;
}

enum uex_error uex_report_read(const struct uex_report_question *question, struct uex_buffer *out,
                               struct uex_fault *fault)
{
    struct uex_run_record runs[UEX_REPORT_RUNS_MAX];
    struct uex_run_records records = {0};
    struct uex_report report;
    enum uex_error err = uex_run_records_read(question->config, question->wait_ms, question->cancel, &records, fault);

    uex_report_init(&report);
    report.runs = runs;
    report.run_count = uex_report_runs(&records, question->run, runs);
    report.timezone = question->config->schedule_timezone;
    report.made_at_ms = uex_wall_ms();
    if (err == UEX_OK)
        err = uex_report_gather(question, &report, fault);
    if (err == UEX_OK)
        uex_report_write(&report, out);
    if (err == UEX_OK && uex_buffer_failed(out))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the page of a run");
    uex_report_clear(&report);
    uex_run_records_clear(&records);
    return err;
}

/* Beside the manifest, under the same name. */
static void append_key(const struct uex_run_record *run, struct uex_buffer *out)
{
    uex_run_manifest_key(run->run_id, run->ended_at_ms, out);
    if (uex_buffer_failed(out))
        return;
    out->size_bytes -= strlen(MANIFEST_ENDING);
    uex_buffer_append_text(out, PAGE_ENDING);
}

static enum uex_error create_object(struct uex_object_store *store, const char *key, const struct uex_buffer *page,
                                    struct uex_fault *fault)
{
    struct uex_object_writer *writer = NULL;
    struct uex_object_facts facts = {0};
    enum uex_error err = store->prepare(store, fault);

    if (err == UEX_OK)
        err = store->begin(store, key, &writer, fault);
    if (err != UEX_OK)
        return err;
    err = store->write(writer, uex_buffer_bytes(page), fault);
    if (err == UEX_OK)
        err = store->commit(writer, UEX_UNKNOWN, &facts, fault);
    else
        store->abort(writer);
    uex_object_facts_clear(&facts);
    return err;
}

enum uex_error uex_report_publish(const struct uex_report_question *question, struct uex_store_service *service,
                                  struct uex_fault *fault)
{
    struct uex_object_store *store = NULL;
    struct uex_buffer page = {0}, key = {0};
    enum uex_error err = uex_report_read(question, &page, fault);

    append_key(question->run, &key);
    if (err == UEX_OK && uex_buffer_failed(&key))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the page's name");
    if (err == UEX_OK)
        err = uex_object_store_new(service, &store, fault);
    if (err == UEX_OK) {
        store->cancel = question->cancel;
        err = create_object(store, uex_buffer_text(&key), &page, fault);
        store->destroy(store);
    }
    uex_buffer_clear(&key);
    uex_buffer_clear(&page);
    return err;
}
