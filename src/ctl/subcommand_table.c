/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands, one row each, with their flags. */
#include "check/checks.h"
#include "ctl/dlq/dlq.h"
#include "ctl/manual/manual.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"

static const struct uex_option output_only[] = {UEX_OPTION_OUTPUT(&uex_ctl_options.output), {0}};

static const struct uex_example config_check_examples[] = {
    {"exportctl config check --config worker.ini", "before it is rolled out: every mistake at once, exit code 2"}, {0}};

static const struct uex_example config_show_examples[] = {
    {"exportctl config show | grep -v '(default)'", "what is set here, and where it was set"},
    {"exportctl config show --output json | jq -r '.\"retry.delays\".value'", "one setting, for a script"},
    {0}};

static const struct uex_example topics_check_examples[] = {
    {"exportctl topics check", "after brokers or settings have changed; says the command that mends"}, {0}};

static const struct uex_example topics_create_examples[] = {
    {"exportctl topics create --partitions 24", "before the first worker starts; doing it again changes nothing"},
    {"exportctl topics create --replication-factor 1", "on a single broker that says it has more"},
    {0}};

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

static const struct uex_option trigger[] = {
    {"--all", NULL, "every active group of the database", NULL, &uex_ctl_options.all},
    {"--run", "ID", "the run that the exports belong to; default: none", &uex_ctl_options.run, NULL},
    {"--reason", "TEXT", "why, for the audit", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who asks, for the audit; default: the login and the host", &uex_ctl_options.by, NULL},
    {"--wait", NULL, "follow each group to its outcome", NULL, &uex_ctl_options.wait},
    {"--timeout", "D", "with --wait: give up waiting after this time, for example 10m", &uex_ctl_options.timeout, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example trigger_examples[] = {
    {"exportctl trigger g-17 --reason 'asked for by support' --wait", "exports one group now and says how it ended"},
    {"exportctl trigger g-17 g-18", "two groups; prints the ids of their commands"},
    {"exportctl trigger --all --run 2026-11-22-again --wait --timeout 2h", "a whole night again"},
    {0}};

static const struct uex_option verify[] = {
    {"--run", "ID", "what was exported in this run, instead of the last export of each GROUP", &uex_ctl_options.run,
     NULL},
    {"--limit", "N", "rows of the table at most, 0: all; default: 50 on a terminal, else all", &uex_ctl_options.limit,
     NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example verify_examples[] = {
    {"exportctl verify g-17", "is the last export of g-17 complete and as it was announced?"},
    {"exportctl verify --run 2026-11-22", "the same for everything that a night has exported"},
    {"exportctl verify g-17 --output json", "each check as true, false or null, for a script"},
    {0}};

static const struct uex_option export_group[] = {
    {"--output", "FILE|-", "where to; - is stdout", &uex_ctl_options.output, NULL},
    {"--force", NULL, "replace FILE if it is there", NULL, &uex_ctl_options.force},
    {0}};

static const struct uex_example export_examples[] = {
    {"exportctl export g-17 --output g-17.csv.gz", "the file that a worker would upload, without uploading it"},
    {"exportctl export g-17 --output - | zcat | head", "a look at its first rows"},
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

/* Which dead letters are meant. */
#define DLQ_CHOICE                                                                                                     \
    {"--group", "GROUP", "letters of this group", &uex_dlq_options.group, NULL},                                       \
        {"--error", "CODE", "letters with this error code, for example database-data", &uex_dlq_options.error, NULL},  \
        {"--since", "TIME", "dead-lettered then or later: RFC 3339, or how long ago (12h)", &uex_dlq_options.since,    \
         NULL},                                                                                                        \
        {"--until", "TIME", "dead-lettered before then", &uex_dlq_options.until, NULL},                                \
    {                                                                                                                  \
        "--all", NULL, "all letters", NULL, &uex_ctl_options.all                                                       \
    }

static const struct uex_option dlq_list[] = {
    DLQ_CHOICE,
    {"--open", NULL, "only those that nobody has replayed or discarded", NULL, &uex_dlq_options.open},
    {"--limit", "N", "the newest N", &uex_ctl_options.limit, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example dlq_list_examples[] = {
    {"exportctl dlq list --open --since 12h", "what failed for good this night and waits for a decision"},
    {"exportctl dlq list --error database-data --output json", "for a script"},
    {0}};

static const struct uex_option dlq_show[] = {DLQ_CHOICE, UEX_OPTION_OUTPUT(&uex_ctl_options.output), {0}};
static const struct uex_example dlq_show_examples[] = {
    {"exportctl dlq show 3:4711", "one letter: command, error, headers, and what was done with it"}, {0}};

static const struct uex_option dlq_replay[] = {
    DLQ_CHOICE,
    {"--dry-run", NULL, "only say what would be done", NULL, &uex_dlq_options.dry_run},
    {"--again", NULL, "also what was replayed or discarded before, or ended meanwhile", NULL, &uex_dlq_options.again},
    {"--reason", "TEXT", "why, for the audit", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who, for the audit; default: login and host", &uex_ctl_options.by, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example dlq_replay_examples[] = {
    {"exportctl dlq replay --error store-denied --since 12h --dry-run", "what would run again"},
    {"exportctl dlq replay 3:4711 --reason 'bucket policy mended'", "one command runs again"},
    {"exportctl dlq replay --all", "everything that is still open"},
    {0}};

static const struct uex_option dlq_discard[] = {
    DLQ_CHOICE,
    {"--dry-run", NULL, "only say what would be done", NULL, &uex_dlq_options.dry_run},
    {"--reason", "TEXT", "why, for the audit; needed", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who, for the audit; default: login and host", &uex_ctl_options.by, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example dlq_discard_examples[] = {
    {"exportctl dlq discard --group g-17 --reason 'group was closed'", "these will not be asked for again"}, {0}};

static const struct uex_option no_options[] = {{0}};

static const struct uex_example completion_examples[] = {
    {"source <(exportctl completion bash)", "in this shell, or as a line of ~/.bashrc"},
    {"exportctl completion bash > /etc/bash_completion.d/exportctl", "for all users"},
    {0}};

static const struct uex_example doctor_examples[] = {
    {"exportctl doctor", "what is wrong, and how to mend it, a line for each thing"},
    {"exportctl doctor --output json | jq '.[] | select(.result == \"fail\")'", "for a script"},
    {0}};

/* Here, because it reads the table in which it stands. */
static int run_completion(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_buffer out = {0};
    int code = UEX_EXIT_FAILED;

    (void)config;
    if (operand_count != 1 || strcmp(operands[0], "bash") != 0) {
        uex_output_complain("completion: for which shell? There is one for bash");
        return UEX_EXIT_USAGE;
    }
    uex_completion_bash(uex_subcommands, &out);
    if (uex_output_print(&out))
        code = UEX_EXIT_DONE;
    uex_buffer_clear(&out);
    return code;
}

const struct uex_subcommand uex_subcommands[] = {
    {.name = "config check",
     .summary = "Checks the whole configuration, touching nothing.",
     .examples = config_check_examples,
     .options = output_only,
     .needs = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
     .check = uex_check_all,
     .say = uex_config_check_say,
     .run = uex_config_check_run},
    {.name = "config show",
     .summary = "Shows every setting, its value and where it was set; secrets only as set or not.",
     .examples = config_show_examples,
     .options = output_only,
     .run = uex_config_show_run},
    {.name = "doctor",
     .summary = "Tries every dependency with this configuration, and says what is wrong and how to mend it.",
     .details = "What a worker does is done for real and taken back: a record in each topic, in transactions that are\n"
                "aborted (readers with read_committed never see it), a position of a group of its own in one of them,\n"
                "and an object under doctor/ that is written, refused to be overwritten, read and deleted. Clocks of\n"
                "brokers, database and store are compared with this machine's. Exit code 1 if anything failed, 3 if\n"
                "a dependency did not answer; warnings leave it at 0.",
     .examples = doctor_examples,
     .options = output_only,
     .needs = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
     .check = uex_check_all,
     .run = uex_doctor_run},
    {.name = "topics check",
     .summary = "Compares the topics and their settings with what the programs need; exit code 1 on errors.",
     .examples = topics_check_examples,
     .options = output_only,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_check_run},
    {.name = "topics create",
     .summary = "Makes the topics that are missing, with their settings; leaves the others as they are.",
     .examples = topics_create_examples,
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
    {.name = "dlq list",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Lists the commands that failed for good, oldest first, and what was done with them.",
     .examples = dlq_list_examples,
     .options = dlq_list,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_list_run},
    {.name = "dlq show",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Shows everything that is known of dead letters.",
     .examples = dlq_show_examples,
     .options = dlq_show,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_show_run},
    {.name = "dlq replay",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Sends dead letters back to the command topic, each once, to be tried afresh.",
     .details =
         "Key, value, command id and foreign headers stay as they were. Commands and the marks that they were\n"
         "replayed are written in one transaction (500 letters each), so nothing is replayed twice: not when it\n"
         "is interrupted, nor when two people do it at the same time; of two, the later one goes on alone.\n"
         "A letter stays where it is if it was replayed or discarded before, or if its command was exported or\n"
         "skipped meanwhile; --again insists. A command that ended runs again under a new id only: --again\n"
         "writes one into the header and, where the value carries the old one, into the value; nothing else\n"
         "in it changes. A letter without a value (it was too large) cannot be replayed.",
     .examples = dlq_replay_examples,
     .options = dlq_replay,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_replay_run},
    {.name = "dlq discard",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Marks dead letters as not to be replayed, with a reason.",
     .details = "The letters stay in the topic until its retention ends them; `dlq replay --again` still takes them.",
     .examples = dlq_discard_examples,
     .options = dlq_discard,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_discard_run},
    {.name = "trigger",
     .operands = "GROUP…|--all",
     .summary = "Sends a command for each group, all in one Kafka transaction; each has an id of its own and exports.",
     .details = "With --wait each group is followed until it was exported, skipped or dead-lettered; a retry goes on.\n"
                "Exit code 1 where one was dead-lettered, or a named group was not exported for another reason than\n"
                "being empty; 4 when --timeout ran out. Ctrl-C ends the waiting, not the exports.",
     .examples = trigger_examples,
     .options = trigger,
     .needs = UEX_NEED_KAFKA,
     .check = uex_trigger_check,
     .run = uex_trigger_run},
    {.name = "verify",
     .operands = "GROUP…|--run ID",
     .summary = "Fetches the objects and compares them with what was announced to FlairBit and with the states.",
     .details =
         "Checked are sha256, byte count, that it is one gzip member of CSV, rows, the header line; of a list of\n"
         "usernames that its parts are complete and as many names as announced. The object is read as a stream.\n"
         "Exit code 1 where anything does not hold.",
     .examples = verify_examples,
     .options = verify,
     .needs = UEX_NEED_KAFKA | UEX_NEED_STORAGE,
     .check = uex_verify_check_config,
     .run = uex_verify_run},
    {.name = "export",
     .operands = "GROUP",
     .summary = "Writes one group's gzip-compressed CSV to a file; neither Kafka nor the object store is needed.",
     .details =
         "Columns, masks and format are those of export.*, as a worker has them; usernames of groups that are not\n"
         "cost-based are written as CSV too. FILE appears once it is complete and is not replaced without\n"
         "--force. Nothing is announced to anybody.",
     .examples = export_examples,
     .options = export_group,
     .needs = UEX_NEED_POSTGRES,
     .check = uex_export_check,
     .run = uex_export_run},
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
    {.name = "completion",
     .operands = "bash",
     .summary = "Prints a script that completes subcommands and options in a shell.",
     .examples = completion_examples,
     .options = no_options,
     .run = run_completion},
    {0}};
