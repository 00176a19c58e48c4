/* SPDX-License-Identifier: Apache-2.0 */
/* The overview, read. */
#include "ctl/status/overview.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/dlq/dlq.h"
#include "kafka/group_members.h"
#include "kafka/topic_reader.h"
#include "kafka/topics.h"
#include "kafka/unfinished.h"

#define FIGURE_MS 5000
#define ANSWER_MS 2000
#define ALL_COMMANDS_MS 30000
#define POLL_MS 100
#define NOT_READ "it was not read in time"
#define LAG_READ_MAX 2000 /* so many open offsets are read to know how many commands they are */
#define RETRIES_READ_MAX 20000
#define WORKERS_MAX 1000 /* worker records that are kept */

static void fail(struct uex_overview_figure *figure, enum uex_error err, const struct uex_fault *fault)
{
    figure->count = UEX_UNKNOWN;
    snprintf(figure->why_not, sizeof(figure->why_not), "%.*s", UEX_OVERVIEW_WHY_SIZE - 1,
             err == UEX_CANCELLED  ? NOT_READ
             : fault->text[0] == 0 ? uex_error_sentence(err)
                                   : fault->text);
}

static void set(struct uex_overview_figure *figure, uint64_t count)
{
    *figure = (struct uex_overview_figure){.count = count};
}

/* ---- topics that are read to their ends */

/* Tries again while Kafka cannot answer, as after a topic was made or while a broker restarts. */
static enum uex_error open_reader(const struct uex_overview_reading *reading, const struct uex_read_topic *topic,
                                  int64_t until_ms, struct uex_topic_reader **out, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    do {
        err = uex_topic_reader_open(reading->config, topic, 1, FIGURE_MS, reading->cancel, out, fault);
    } while (err == UEX_KAFKA_UNAVAILABLE && uex_monotonic_ms() < until_ms && uex_sleep_ms(POLL_MS, reading->cancel));
    return err;
}

/* Pass all records up to the ends to `take`, FIGURE_MS at most. */
static enum uex_error read_topic(const struct uex_overview_reading *reading, const struct uex_read_topic *topic,
                                 enum uex_error (*take)(void *context, const rd_kafka_message_t *message),
                                 void *context, struct uex_fault *fault)
{
    const int64_t until_ms = uex_monotonic_ms() + FIGURE_MS;
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = open_reader(reading, topic, until_ms, &reader, fault);

    while (err == UEX_OK) {
        rd_kafka_message_t *message = NULL;

        if (uex_cancel_requested(reading->cancel))
            err = UEX_CANCELLED;
        else if (uex_monotonic_ms() >= until_ms)
            err = uex_fail(fault, UEX_TIMEOUT, "%s could not be read to its end within %d s", topic->name,
                           FIGURE_MS / 1000);
        else
            err = uex_topic_reader_next(reader, POLL_MS, &message, fault);
        if (message != NULL) {
            err = take(context, message);
            rd_kafka_message_destroy(message);
        } else if (err == UEX_TIMEOUT && fault->error != UEX_TIMEOUT) {
            err = UEX_OK;
        }
    }
    uex_topic_reader_close(reader);
    return err == UEX_END ? UEX_OK : err;
}

/* ---- the progress topic: running exports, and the workers' records */

struct heard {
    struct uex_running *running;
    struct uex_worker_record *workers; /* the newest of each */
    size_t worker_count;
    int64_t since_ms;
};

static enum uex_error keep_worker(struct heard *heard, struct uex_worker_record *record)
{
    struct uex_worker_record *workers = NULL;

    for (size_t i = 0; i < heard->worker_count; i++) {
        if (strcmp(heard->workers[i].worker, record->worker) != 0)
            continue;
        uex_worker_record_clear(&heard->workers[i]);
        heard->workers[i] = *record;
        return UEX_OK;
    }
    workers = heard->worker_count == WORKERS_MAX
                  ? NULL
                  : realloc(heard->workers, (heard->worker_count + 1) * sizeof(*workers));
    if (workers == NULL) {
        uex_worker_record_clear(record);
        return UEX_NO_MEMORY;
    }
    heard->workers = workers;
    workers[heard->worker_count++] = *record;
    return UEX_OK;
}

static enum uex_error take_progress(void *context, const rd_kafka_message_t *message)
{
    const struct uex_bytes value = uex_bytes_of(message->payload, message->payload == NULL ? 0 : message->len);
    struct heard *heard = context;
    struct uex_worker_record record = {0};
    enum uex_error err = UEX_OK;

    if (value.data == NULL || uex_running_take(heard->running, value, uex_monotonic_ms()) != NULL)
        return UEX_OK;
    err = uex_worker_record_parse(value, &record, NULL);
    if (err == UEX_OK && record.at_ms >= heard->since_ms)
        return keep_worker(heard, &record);
    uex_worker_record_clear(&record);
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

static void add_breaker(struct uex_overview *out, const struct uex_worker_breaker *breaker)
{
    struct uex_overview_breaker *same = NULL;

    for (size_t i = 0; i < out->breakers.count && same == NULL; i++)
        if (strcmp(out->breaker[i].dependency, breaker->dependency) == 0)
            same = &out->breaker[i];
    if (same == NULL) {
        if (out->breakers.count == UEX_OVERVIEW_BREAKERS_MAX)
            return;
        same = &out->breaker[out->breakers.count++];
        *same = (struct uex_overview_breaker){.since_ms = INT64_MAX};
        memcpy(same->dependency, breaker->dependency, sizeof(same->dependency));
    }
    same->worker_count++;
    if (breaker->since_ms < same->since_ms) {
        same->since_ms = breaker->since_ms;
        memcpy(same->code, breaker->code, sizeof(same->code));
    }
}

static void read_progress(const struct uex_overview_reading *reading, struct uex_running *running,
                          struct uex_overview *out)
{
    const int64_t since_ms = uex_wall_ms() - UEX_WORKER_SILENT_MS;
    const struct uex_read_topic topic = {
        .name = reading->config->topics_progress, .from = UEX_READ_SINCE, .since_ms = since_ms};
    struct heard heard = {.running = running, .since_ms = since_ms};
    struct uex_fault fault = {0};
    enum uex_error err = read_topic(reading, &topic, take_progress, &heard, &fault);

    set(&out->breakers, 0);
    for (size_t i = 0; i < heard.worker_count; i++)
        for (size_t j = 0; j < heard.workers[i].breaker_count && !heard.workers[i].stopping; j++)
            add_breaker(out, &heard.workers[i].breakers[j]);
    if (err != UEX_OK) {
        fail(&out->breakers, err, &fault);
    } else if (heard.worker_count == 0 && out->workers.count != 0) {
        (void)uex_fail(&fault, UEX_NOT_FOUND, "no worker has written a record to %s for %d s (before 1.1 none does)",
                       topic.name, UEX_WORKER_SILENT_MS / 1000);
        fail(&out->breakers, UEX_NOT_FOUND, &fault);
    }
    for (size_t i = 0; i < heard.worker_count; i++)
        uex_worker_record_clear(&heard.workers[i]);
    free(heard.workers);
}

/* ---- the consumer group */

static void read_workers(const struct uex_overview_reading *reading, const struct uex_lag_readers *readers,
                         struct uex_overview *out)
{
    int32_t coordinator = -1;
    size_t count = 0;
    struct uex_fault fault = {0};
    enum uex_error err = uex_group_members_count(readers->ends, reading->config->kafka_group_id, FIGURE_MS,
                                                 &coordinator, &count, &fault);

    set(&out->workers, count);
    if (err != UEX_OK)
        fail(&out->workers, err, &fault);
}

/* ---- commands without an outcome */

struct found {
    const struct uex_overview_reading *reading;
    char cluster_id[UEX_KAFKA_CLUSTER_ID_SIZE]; /* for commands without an id of their own */
    const struct uex_running *running;
    struct uex_overview *out;
    uint64_t running_count; /* of the commands of the command topic */
};

static bool is_running(const struct uex_running *running, const struct uex_command *command)
{
    for (size_t i = 0; i < running->count; i++) {
        const struct uex_group_progress *progress = &running->items[i].progress;

        if (strcmp(progress->group_id, command->group_id) == 0 &&
            strcmp(progress->command_id, command->command_id) == 0)
            return true;
    }
    return false;
}

/* As the worker names a command: its own id, that of the header, or one made of its place. */
static enum uex_error complete_id(const struct found *found, const rd_kafka_message_t *message,
                                  struct uex_command *command)
{
    struct uex_record *record = command->command_id[0] != 0 ? NULL : uex_record_copy(message, NULL);

    if (command->command_id[0] != 0)
        return UEX_OK;
    if (record == NULL)
        return UEX_NO_MEMORY;
    if (record->envelope.command_id[0] != 0)
        memcpy(command->command_id, record->envelope.command_id, sizeof(command->command_id));
    else
        uex_command_id_of_record(found->cluster_id, record->topic, record->partition, record->offset,
                                 record->timestamp_ms, command->command_id);
    uex_record_free(record);
    return UEX_OK;
}

static enum uex_error take_command(struct found *found, const rd_kafka_message_t *message)
{
    const struct uex_bytes key = uex_bytes_of(message->key, message->key == NULL ? 0 : message->key_len);
    const struct uex_bytes value = uex_bytes_of(message->payload, message->payload == NULL ? 0 : message->len);
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(key, value, &command, NULL);
    bool running = false;

    if (err == UEX_OK)
        err = complete_id(found, message, &command);
    if (err == UEX_OK) {
        running = is_running(found->running, &command);
        found->running_count += running;
        if (found->reading->waiting != NULL)
            err = found->reading->waiting(found->reading->context, &command, running);
    } else if (err != UEX_NO_MEMORY) {
        err = UEX_OK; /* it waits for being dead-lettered */
    }
    uex_command_clear(&command);
    return err;
}

static enum uex_error take_unfinished(void *context, size_t topic, const rd_kafka_message_t *message)
{
    struct found *found = context;
    struct uex_record *record = NULL;
    int64_t due_ms = UEX_NO_TIME;

    if (topic == 0)
        return take_command(found, message);
    record = uex_record_copy(message, found->reading->config->topics_command);
    if (record == NULL)
        return UEX_NO_MEMORY;
    due_ms = record->envelope.due_ms;
    uex_record_free(record);
    if (due_ms != UEX_NO_TIME && (found->out->next_retry_ms == UEX_NO_TIME || due_ms < found->out->next_retry_ms))
        found->out->next_retry_ms = due_ms;
    return UEX_OK;
}

/* The command topic is number 0, the retry topics follow. */
static enum uex_error read_unfinished(const struct uex_overview_reading *reading, const struct uex_lag_readers *readers,
                                      struct found *found, struct uex_unfinished_topic *topics, size_t topic_count,
                                      struct uex_fault *fault)
{
    const struct uex_unfinished_reading how = {
        .answer_ms = ANSWER_MS,
        .until_ms = uex_monotonic_ms() + (topics[0].read_max == UINT64_MAX ? ALL_COMMANDS_MS : FIGURE_MS),
        .cancel = reading->cancel,
        .take = take_unfinished,
        .context = found};

    return uex_unfinished_read(readers, &how, topics, topic_count, fault);
}

static void read_commands(const struct uex_overview_reading *reading, const struct uex_lag_readers *readers,
                          const struct uex_running *running, struct uex_overview *out)
{
    struct found found = {.reading = reading, .running = running, .out = out};
    struct uex_unfinished_topic topics[UEX_TIERS_MAX + 1] = {
        {.name = reading->config->topics_command, .read_max = reading->waiting == NULL ? LAG_READ_MAX : UINT64_MAX}};
    struct uex_tier tiers[UEX_TIERS_MAX];
    size_t tier_count = 0, topic_count = 1;
    uint64_t retrying = 0, running_count = 0;
    struct uex_fault fault = {0};
    enum uex_error err = uex_kafka_cluster_id(readers->ends, ANSWER_MS, found.cluster_id, &fault);

    if (err == UEX_OK)
        err = uex_topics_tiers(readers->ends, reading->config, ANSWER_MS, tiers, &tier_count, &fault);
    for (size_t i = 0; i < tier_count && err == UEX_OK; i++)
        if (tiers[i].partition_count > 0)
            topics[topic_count++] = (struct uex_unfinished_topic){.name = tiers[i].topic, .read_max = RETRIES_READ_MAX};
    if (err == UEX_OK)
        err = read_unfinished(reading, readers, &found, topics, topic_count, &fault);
    if (err == UEX_OK && topics[0].is_missing)
        err = uex_fail(&fault, UEX_KAFKA_TOPICS, "topic %s does not exist, or this Kafka user may not see it",
                       topics[0].name);
    for (size_t i = 1; i < topic_count; i++)
        retrying += topics[i].count;
    running_count = topics[0].is_exact ? found.running_count : running->count;
    set(&out->waiting, topics[0].count > running_count ? topics[0].count - running_count : 0);
    set(&out->retrying, retrying);
    out->waiting_is_exact = topics[0].is_exact;
    if (err != UEX_OK) {
        fail(&out->waiting, err, &fault);
        fail(&out->retrying, err, &fault);
        out->waiting_is_exact = false;
        out->next_retry_ms = UEX_NO_TIME;
    }
}

/* ---- dead letters */

struct place {
    int32_t partition;
    int64_t offset;
};

struct letters {
    struct place *items;
    size_t count, capacity;
    struct uex_dlq_marks marks;
};

static enum uex_error add_letter(struct letters *letters, const struct uex_record *record)
{
    const size_t capacity = letters->capacity == 0 ? 256 : letters->capacity * 2;
    struct place *items = NULL;

    if (letters->count == letters->capacity) {
        items = realloc(letters->items, capacity * sizeof(*items));
        if (items == NULL)
            return UEX_NO_MEMORY;
        letters->items = items;
        letters->capacity = capacity;
    }
    letters->items[letters->count++] = (struct place){.partition = record->partition, .offset = record->offset};
    return UEX_OK;
}

static enum uex_error take_letter(void *context, const rd_kafka_message_t *message)
{
    struct letters *letters = context;
    struct uex_record *record = uex_record_copy(message, NULL);
    struct uex_dlq_mark mark;
    struct uex_fault fault = {0};
    enum uex_error err = UEX_NO_MEMORY;

    if (record != NULL)
        err = uex_dlq_mark_read(record, &mark) ? uex_dlq_marks_add(&letters->marks, record, &mark, &fault)
                                               : add_letter(letters, record);
    uex_record_free(record);
    return err;
}

static void read_letters(const struct uex_overview_reading *reading, struct uex_overview *out)
{
    const struct uex_read_topic topic = {.name = reading->config->topics_dlq, .from = UEX_READ_ALL};
    struct letters letters = {0};
    struct uex_fault fault = {0};
    enum uex_error err = read_topic(reading, &topic, take_letter, &letters, &fault);
    uint64_t open_count = 0;
    size_t mark_count = 0;

    for (size_t i = 0; i < letters.count && err == UEX_OK; i++)
        open_count += uex_dlq_marks_find(&letters.marks, letters.items[i].partition, letters.items[i].offset,
                                         &mark_count) == NULL;
    set(&out->open_letters, open_count);
    if (err != UEX_OK)
        fail(&out->open_letters, err, &fault);
    uex_dlq_marks_clear(&letters.marks);
    free(letters.items);
}

/* ---- all of it */

void uex_overview_init(struct uex_overview *overview, const char *why_not)
{
    struct uex_overview_figure *const figures[] = {&overview->workers, &overview->waiting, &overview->retrying,
                                                   &overview->open_letters, &overview->breakers};

    *overview = (struct uex_overview){.next_retry_ms = UEX_NO_TIME};
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        figures[i]->count = UEX_UNKNOWN;
        snprintf(figures[i]->why_not, sizeof(figures[i]->why_not), "%.*s", UEX_OVERVIEW_WHY_SIZE - 1, why_not);
    }
}

void uex_overview_read(const struct uex_overview_reading *reading, struct uex_overview *out)
{
    struct uex_lag_readers readers = {0};
    struct uex_running own = {0}, *running = reading->running == NULL ? &own : reading->running;
    struct uex_fault fault = {0};
    enum uex_error err = uex_lag_readers_open(reading->config, reading->config->kafka_group_id, &readers, &fault);

    uex_overview_init(out, NOT_READ);
    if (err == UEX_OK)
        err = uex_kafka_wait(readers.ends, FIGURE_MS, reading->cancel, &fault);
    if (err == UEX_OK) {
        read_workers(reading, &readers, out);
        read_progress(reading, running, out);
        read_commands(reading, &readers, running, out);
        read_letters(reading, out);
    } else {
        uex_overview_init(out, fault.text[0] == 0 ? uex_error_sentence(err) : fault.text);
    }
    uex_lag_readers_close(&readers);
    uex_running_clear(&own);
}
