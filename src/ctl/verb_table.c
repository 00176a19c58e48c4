/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs, one row each, with their flags. */
#include "check/checks.h"
#include "ctl/options.h"
#include "ctl/verbs.h"

static const struct uex_option output_only[] = {UEX_OPTION_OUTPUT(&uex_ctl_options.output), {0}};

static const struct uex_option topics_create[] = {
    {"--partitions", "N", "of topics that are made; default: as the command topic has, else 12",
     &uex_ctl_options.partitions, NULL},
    {"--replication-factor", "N", "of topics that are made; default: 3, or as many as there are brokers",
     &uex_ctl_options.replication_factor, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_option topics_grow[] = {
    {"--partitions", "N", "that each of them shall have; default: as many as any of them has",
     &uex_ctl_options.partitions, NULL},
    {"--replication-factor", "N", "of the new partitions; default: what their topic has",
     &uex_ctl_options.replication_factor, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example topics_grow_examples[] = {
    {"exportctl topics grow --partitions 24", "while workers run: they move commands and states by themselves"},
    {"exportctl topics grow", "finishes a growth that was interrupted"},
    {0}};

static const struct uex_option status[] = {
    {"--run", "ID", "the outcomes of this run, and the active groups that have none in it", &uex_ctl_options.run, NULL},
    {"--follow", NULL, "go on: new outcomes, and what workers are doing now; Ctrl-C ends it", NULL,
     &uex_ctl_options.follow},
    {"--limit", "N", "rows of the table at most, 0: all; default: 50 on a terminal, else all", &uex_ctl_options.limit,
     NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example status_examples[] = {
    {"exportctl status", "the last outcome of every group, failed ones first"},
    {"exportctl status --run 2026-11-22", "how a night went: counts, failed and still missing groups"},
    {"exportctl status g-17 --output json", "everything that is known of one group, for a script"},
    {"exportctl status --follow", "what is being exported now, with rows, rate and age"},
    {0}};

const struct uex_verb uex_verbs[] = {
    {.name = "config check",
     .summary = "Checks the whole configuration, touching nothing.",
     .options = output_only,
     .needs = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
     .check = uex_check_all,
     .say = uex_config_check_say,
     .run = uex_config_check_run},
    {.name = "config show",
     .summary = "Shows every setting, its value and where it was set; secrets only as set or not.",
     .options = output_only,
     .run = uex_config_show_run},
    {.name = "topics check",
     .summary = "Compares the topics and their settings with what the programs need; exit code 1 on errors.",
     .options = output_only,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_check_run},
    {.name = "topics create",
     .summary = "Makes the topics that are missing, with their settings; leaves the others as they are.",
     .options = topics_create,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_create_run},
    {.name = "topics grow",
     .summary = "Gives command, state and retry topics more partitions, in the order that workers need.",
     .details = "The order is state, retry topics (also those beyond retry.delays), command; each is visible on the\n"
                "brokers before the next one grows. Partitions are never taken away. What was interrupted is finished\n"
                "by the same command. The other topics need not agree; Kafka's own tools grow them.",
     .examples = topics_grow_examples,
     .options = topics_grow,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_grow_run},
    {.name = "status",
     .operands = "[GROUP…]",
     .summary = "Shows the last outcome of each group, or its outcome in a run; failed ones first.",
     .details =
         "Reads the state topic and, for --follow, the progress topic: over the brokers alone. Which groups are\n"
         "missing in a run is known where postgres.dsn is set and the database answers; otherwise that is said.\n"
         "A state remembers the last 16 commands of its group: of a run further back the outcome is unknown.\n"
         "Exit code 1 where a GROUP has no outcome.",
     .examples = status_examples,
     .options = status,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_status_run},
    {0}};
