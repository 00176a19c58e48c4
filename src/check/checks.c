/* SPDX-License-Identifier: Apache-2.0 */
#include "check/checks.h"

#include <stdlib.h>

#include "export/layout.h"
#include "export/object_store.h"
#include "export/postgres.h"
#include "export/redis.h"
#include "kafka/topics.h"

/* Some sentences begin with the key already ("s3.endpoint: …"), which may be another of the same check. */
static void add(struct uex_buffer *problems, const char *key, enum uex_error err, const struct uex_fault *fault)
{
    const char *text = fault->text[0] == 0 ? uex_error_sentence(err) : fault->text;
    size_t word_bytes = strcspn(text, " ");

    if (err == UEX_OK)
        return;
    if (err == UEX_NO_MEMORY) { /* says nothing of the setting */
        problems->failed = true;
        return;
    }
    if (word_bytes > 1 && text[word_bytes - 1] == ':' && memchr(text, '.', word_bytes) != NULL)
        uex_buffer_append_format(problems, "%s\n", text);
    else
        uex_buffer_append_format(problems, "%s: %s\n", key, text);
}

static bool given(const char *text)
{
    return text != NULL && text[0] != 0;
}

void uex_check_kafka(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_topic_plan *plan = calloc(1, sizeof(*plan));
    struct uex_fault fault = {0};

    uex_kafka_check_properties(config, problems);
    add(problems, "topics.*", plan == NULL ? UEX_NO_MEMORY : uex_topics_plan(config, 0, 0, plan, &fault), &fault);
    free(plan);
}

void uex_check_all(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault of_layout = {0}, dsn = {0}, redis = {0}, store = {0};
    struct uex_layout *layout = NULL;

    uex_check_kafka(config, problems);
    add(problems, "export.columns", uex_layout_new(config, &layout, &of_layout), &of_layout);
    uex_layout_free(layout);
    if (given(config->postgres_dsn))
        add(problems, "postgres.dsn", uex_postgres_check_dsn(config->postgres_dsn, &dsn), &dsn);
    if (given(config->redis_url))
        add(problems, "redis.url", uex_redis_check_url(config->redis_url, &redis), &redis);
    if (given(config->storage_url))
        add(problems, "storage.url", uex_object_store_check(config, &store), &store);
}
