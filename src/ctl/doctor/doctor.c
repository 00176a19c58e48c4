/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: tests every dependency, all of them at the same time. */
#include "ctl/doctor/doctor.h"

#include <stdatomic.h>

#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "export/thread.h"

#define LOOK_MS 20

struct part {
    void (*run)(struct uex_doctor *doctor);
    struct uex_doctor doctor;
    pthread_t thread;
    bool has_thread, is_printed;
    atomic_bool is_done;
};

/* In the order of the document. */
static void (*const dependencies[])(struct uex_doctor *) = {uex_doctor_kafka, uex_doctor_postgres, uex_doctor_store,
                                                            uex_doctor_redis};
#define PART_COUNT (sizeof(dependencies) / sizeof(dependencies[0]))

static void *run_part(void *context)
{
    struct part *part = context;

    part->run(&part->doctor);
    atomic_store(&part->is_done, true);
    return NULL;
}

/* Without a thread it is done here, after the others were started. */
static void start(struct part parts[PART_COUNT], const struct uex_config *config, struct uex_store_service *store,
                  const struct uex_fault *store_fault)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        parts[i].run = dependencies[i];
        parts[i].doctor = (struct uex_doctor){.config = config, .store = store, .store_fault = *store_fault};
        parts[i].has_thread = uex_thread_start(&parts[i].thread, run_part, &parts[i]);
    }
    for (size_t i = 0; i < PART_COUNT; i++)
        if (!parts[i].has_thread)
            (void)run_part(&parts[i]);
}

/* A part that has ended is printed at once, whatever the others wait for. False: stdout cannot be written. */
static bool print_parts(struct part parts[PART_COUNT], enum uex_output format)
{
    size_t printed_count = 0;
    bool printed = true;

    while (printed_count < PART_COUNT) {
        for (size_t i = 0; i < PART_COUNT; i++) {
            struct part *part = &parts[i];

            if (part->is_printed || !atomic_load(&part->is_done))
                continue;
            if (part->has_thread)
                pthread_join(part->thread, NULL);
            if (format == UEX_OUTPUT_TABLE && !uex_output_print(&part->doctor.text))
                printed = false;
            part->is_printed = true;
            printed_count++;
        }
        if (uex_output_closed())
            uex_cancel_request(&uex_program_cancel); /* nobody reads what the others find */
        if (printed_count < PART_COUNT)
            (void)uex_sleep_ms(LOOK_MS, NULL); /* a signal ends the parts themselves */
    }
    return printed;
}

static bool print_end(const struct part parts[PART_COUNT], const struct uex_doctor *sum, enum uex_output format)
{
    struct uex_buffer out = {0};
    bool printed = false;

    if (format == UEX_OUTPUT_TABLE)
        uex_buffer_append_format(&out, "\n%zu checks: %zu failed, %zu warnings\n", sum->row_count, sum->fail_count,
                                 sum->warn_count);
    else
        uex_buffer_append_text(&out, "[");
    for (size_t i = 0; i < PART_COUNT && format == UEX_OUTPUT_JSON; i++) {
        uex_buffer_append_text(&out, out.size_bytes > 1 && parts[i].doctor.row_count > 0 ? "," : "");
        uex_buffer_append_buffer(&out, &parts[i].doctor.json);
    }
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "\n]\n");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    return printed;
}

/* The parts together. */
static void sum_up(struct part parts[PART_COUNT], struct uex_doctor *sum)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        sum->row_count += parts[i].doctor.row_count;
        sum->fail_count += parts[i].doctor.fail_count;
        sum->warn_count += parts[i].doctor.warn_count;
        sum->unreachable = sum->unreachable || parts[i].doctor.unreachable;
    }
}

static void clear(struct part parts[PART_COUNT])
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        uex_buffer_clear(&parts[i].doctor.where);
        uex_buffer_clear(&parts[i].doctor.text);
        uex_buffer_clear(&parts[i].doctor.json);
    }
}

int uex_doctor_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct part parts[PART_COUNT] = {0};
    struct uex_doctor sum = {0};
    struct uex_store_service *store = NULL;
    struct uex_fault store_fault = {0};
    enum uex_output format = UEX_OUTPUT_TABLE;
    bool printed = false;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        return UEX_EXIT_USAGE;
    if (uex_store_service_new(config, &store, &store_fault) != UEX_OK) /* before there are threads */
        store = NULL;
    start(parts, config, store, &store_fault);
    printed = print_parts(parts, format);
    sum_up(parts, &sum);
    printed = print_end(parts, &sum, format) && printed;
    clear(parts);
    uex_store_service_free(store);
    if (uex_output_closed())
        return UEX_EXIT_DONE;
    if (uex_cancel_requested(&uex_program_cancel)) {
        uex_output_error("stopped; only the checks above were done");
        return UEX_EXIT_FAILED;
    }
    if (sum.unreachable)
        return UEX_EXIT_UNREACHABLE;
    return printed && sum.fail_count == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}
