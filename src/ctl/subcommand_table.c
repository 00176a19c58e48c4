/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands, one row each, with their flags. */
#include "check/checks.h"
#include "ctl/manual/manual.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"

static const struct uex_option output_only[] = {UEX_OPTION_OUTPUT(&uex_ctl_options.output), {0}};

static const struct uex_option config_check[] = {
    {"--for", "PROGRAM", "what worker, scheduler or exportctl cannot do without; default: worker",
     &uex_ctl_options.for_program, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example config_check_examples[] = {
    {"exportctl config check --config worker.ini", "before a rollout: prints all mistakes at once, exit code 2"},
    {"exportctl config check --for scheduler", "does export-scheduler have all that it needs?"},
    {0}};

static const struct uex_example config_show_examples[] = {
    {"exportctl config show | grep -v '(default)'",
     "the settings that differ from the defaults, and where each was set"},
    {"exportctl config show --output json | jq -r '.\"retry.delays\".value'", "one setting, for a script"},
    {0}};

static const struct uex_example topics_check_examples[] = {
    {"exportctl topics check", "after brokers or settings have changed; prints the commands that fix differences"},
    {0}};

static const struct uex_example topics_create_examples[] = {
    {"exportctl topics create --partitions 24", "before the first worker starts; a second run changes nothing"},
    {"exportctl topics create --replication-factor 1", "one replica of each topic, for a test cluster"},
    {0}};

static const struct uex_option topics_create[] = {
    {"--partitions", "N", "partitions of new topics; default: as the command topic, else 12",
     &uex_ctl_options.partitions, NULL},
    {"--replication-factor", "N", "replicas of new topics; default: 3, or as many as there are brokers",
     &uex_ctl_options.replication_factor, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_option topics_grow[] = {
    {"--partitions", "N", "partitions that each topic gets; default: as the largest of them",
     &uex_ctl_options.partitions, NULL},
    {"--replication-factor", "N", "replicas of new partitions; default: as their topic",
     &uex_ctl_options.replication_factor, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example topics_grow_examples[] = {
    {"exportctl topics grow --partitions 24", "while workers run; they move commands and states themselves"},
    {"exportctl topics grow", "completes an interrupted growth"},
    {0}};

static const struct uex_option trigger[] = {
    {"--all", NULL, "every active group of the database", NULL, &uex_ctl_options.all},
    {"--run", "ID", "run id of the commands; default: none", &uex_ctl_options.run, NULL},
    {"--again", NULL, "with --all --run: also if the run was started before", NULL, &uex_ctl_options.again},
    {"--reason", "TEXT", "the reason, for the audit log", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who asks, for the audit log; default: login@host", &uex_ctl_options.by, NULL},
    {"--dry-run", NULL, "only print the commands that would be sent", NULL, &uex_ctl_options.dry_run},
    {"--force", NULL, "do not ask about a GROUP that the group view does not have", NULL, &uex_ctl_options.force},
    {"--wait", NULL, "wait for the outcome of each group", NULL, &uex_ctl_options.wait},
    {"--timeout", "D", "with --wait: stop waiting after this time, for example 10m", &uex_ctl_options.timeout, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_option run_list[] = {
    {"--limit", "N", "most runs, 0: all; default: 20 on a terminal, else all", &uex_ctl_options.limit, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example run_list_examples[] = {
    {"exportctl run list", "the nights, the newest first: which ended, and how"},
    {"exportctl run list --output json | jq '.[] | select(.status != \"completed\")'", "for a script"},
    {0}};

static const struct uex_option run_show[] = {{"--limit", "N",
                                              "most groups of the table, 0: all; default: 50 on a terminal, else all",
                                              &uex_ctl_options.limit, NULL},
                                             UEX_OPTION_OUTPUT(&uex_ctl_options.output),
                                             {0}};
static const struct uex_example run_show_examples[] = {
    {"exportctl run show last", "the counts of the newest run, and its groups that failed or have not ended"},
    {"exportctl run show 2026-11-22 --output json", "the same for a script"},
    {0}};

static const struct uex_option run_wait[] = {
    {"--timeout", "D", "stop waiting after this time, for example 2h", &uex_ctl_options.timeout, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example run_wait_examples[] = {
    {"exportctl run wait last --timeout 2h && ./load-the-night", "goes on when every group was exported or skipped"},
    {0}};

static const struct uex_option run_finish[] = {
    {"--force", NULL, "also while groups have not ended: the run is incomplete then", NULL, &uex_ctl_options.force},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example run_finish_examples[] = {
    {"exportctl run finish last", "after dead letters were replayed: the run's record gets the new counts"},
    {"exportctl run finish 2026-11-22 --force", "gives a night up whose last groups never end"},
    {0}};

static const struct uex_example trigger_examples[] = {
    {"exportctl trigger g-17 --reason 'asked for by support' --wait", "exports one group now and prints its outcome"},
    {"exportctl trigger g-17 g-18", "two groups; prints the ids of their commands"},
    {"exportctl trigger --all --dry-run | wc -l", "how many groups that would be"},
    {"exportctl trigger --all --run 2026-11-22-again --wait --timeout 2h", "all active groups, as a run of their own"},
    {0}};

static const struct uex_option verify[] = {
    {"--run", "ID", "what this run exported, instead of the last export of each GROUP", &uex_ctl_options.run, NULL},
    {"--limit", "N", "most rows of the table, 0: all; default: 50 on a terminal, else all", &uex_ctl_options.limit,
     NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example verify_examples[] = {
    {"exportctl verify g-17", "is the last export of g-17 complete and as announced?"},
    {"exportctl verify --run 2026-11-22", "the same for everything that a run exported"},
    {"exportctl verify g-17 --output json", "each check as true, false or null, for a script"},
    {0}};

static const struct uex_option export_group[] = {
    {"--output", "FILE|-", "the output file; - is stdout", &uex_ctl_options.output, NULL},
    {"--format", "FORMAT", "csv, jsonl or parquet; else export.format", &uex_ctl_options.format, NULL},
    {"--force", NULL, "replace FILE if it exists", NULL, &uex_ctl_options.force},
    {0}};

static const struct uex_example export_examples[] = {
    {"exportctl export g-17 --output g-17.csv.gz", "the file that a worker would upload, without the upload"},
    {"exportctl export g-17 --output - | zcat | head", "its first rows"},
    {"exportctl export g-17 --format parquet --output g-17.parquet", "the same rows as Parquet"},
    {0}};

static const struct uex_option schema[] = {
    {"--json-schema", NULL, "a JSON Schema of one row of JSON Lines", NULL, &uex_ctl_options.json_schema},
    {"--output", "table|json", "a table (default), or a Table Schema", &uex_ctl_options.output, NULL},
    {0}};

static const struct uex_example schema_examples[] = {
    {"exportctl schema", "the columns that readers get, their types and masks, and where they come from"},
    {"exportctl schema --output json > users.schema.json", "for tools that know Table Schema, as frictionless does"},
    {"exportctl schema --json-schema", "for readers of JSON Lines, and for code generators"},
    {0}};

static const struct uex_option status[] = {
    {"--run", "ID|last", "the outcomes of this run, and the active groups without one; last: the newest run",
     &uex_ctl_options.run, NULL},
    {"--history", NULL, "of each GROUP, also the last 16 commands that ended", NULL, &uex_ctl_options.history},
    {"--check", NULL, "exit code 1 unless everything of the run is exported or empty, and nothing is open", NULL,
     &uex_ctl_options.check},
    {"--follow", NULL, "keep printing new outcomes and running exports; Ctrl-C stops", NULL, &uex_ctl_options.follow},
    {"--force", NULL, "do not ask about a GROUP that the group view does not have", NULL, &uex_ctl_options.force},
    {"--limit", "N", "most rows of the table, 0: all; default: 50 on a terminal, else all", &uex_ctl_options.limit,
     NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};

static const struct uex_example status_examples[] = {
    {"exportctl status", "the last outcome of every group, failed ones first"},
    {"exportctl status --run last", "how the newest run goes: counts, failed groups, and those without an outcome"},
    {"exportctl status g-17 --history", "one group: its last outcome, why it failed, and what was before"},
    {"exportctl status --check --run 2026-11-22", "for a script: did the night succeed?"},
    {"exportctl status g-17 --output json", "everything known about one group, for a script"},
    {"exportctl status --follow", "what is being exported now, with rows, rate and age"},
    {0}};

static const struct uex_option report[] = {
    {"--run", "ID|last", "which run; default: the newest one", &uex_ctl_options.run, NULL},
    {"--html", "FILE|-", "where the page goes, an existing file is replaced; - is stdout", &uex_ctl_options.html, NULL},
    {0}};

static const struct uex_example report_examples[] = {
    {"exportctl report --run last --html night.html", "how the night went, for people without a shell"},
    {"exportctl report --html - | mail -s 'last night' -a 'Content-Type: text/html' team@example.com", "by mail"},
    {0}};

/* Options that select dead letters. */
#define DLQ_CHOICE                                                                                                     \
    {"--group", "GROUP", "dead letters of this group", &uex_ctl_options.group, NULL},                                  \
        {"--error", "CODE", "dead letters with this error code, for example database-data", &uex_ctl_options.error,    \
         NULL},                                                                                                        \
        {"--since", "TIME", "dead-lettered at this time or later: RFC 3339, or how long ago (12h)",                    \
         &uex_ctl_options.since, NULL},                                                                                \
        {"--until", "TIME", "dead-lettered before this time", &uex_ctl_options.until, NULL},                           \
    {                                                                                                                  \
        "--all", NULL, "all dead letters", NULL, &uex_ctl_options.all                                                  \
    }

static const struct uex_option dlq_list[] = {
    DLQ_CHOICE,
    {"--open", NULL, "only those neither replayed nor discarded", NULL, &uex_ctl_options.open},
    {"--limit", "N", "only the newest N", &uex_ctl_options.limit, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example dlq_list_examples[] = {
    {"exportctl dlq list --open --since 12h", "what failed for good last night and is still open"},
    {"exportctl dlq list --error database-data --output json", "for a script"},
    {0}};

static const struct uex_option dlq_show[] = {DLQ_CHOICE, UEX_OPTION_OUTPUT(&uex_ctl_options.output), {0}};
static const struct uex_example dlq_show_examples[] = {
    {"exportctl dlq show 3:4711", "one dead letter: command, error, headers and history"}, {0}};

static const struct uex_option dlq_replay[] = {
    DLQ_CHOICE,
    {"--dry-run", NULL, "only print what would be done", NULL, &uex_ctl_options.dry_run},
    {"--again", NULL, "also those replayed or discarded before, or whose command has ended since", NULL,
     &uex_ctl_options.again},
    {"--wait", NULL, "wait for the outcome of each replayed command", NULL, &uex_ctl_options.wait},
    {"--timeout", "D", "with --wait: stop waiting after this time, for example 10m", &uex_ctl_options.timeout, NULL},
    {"--reason", "TEXT", "the reason, for the audit log", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who asks, for the audit log; default: login@host", &uex_ctl_options.by, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example dlq_replay_examples[] = {
    {"exportctl dlq replay --error store-denied --since 12h --dry-run", "what would be replayed"},
    {"exportctl dlq replay 3:4711 --reason 'bucket policy fixed' --wait", "one command runs again; prints its outcome"},
    {"exportctl dlq replay --all", "everything that is still open"},
    {0}};

static const struct uex_option dlq_discard[] = {
    DLQ_CHOICE,
    {"--dry-run", NULL, "only print what would be done", NULL, &uex_ctl_options.dry_run},
    {"--reason", "TEXT", "the reason, for the audit log; required", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who asks, for the audit log; default: login@host", &uex_ctl_options.by, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example dlq_discard_examples[] = {
    {"exportctl dlq discard --group g-17 --reason 'group was closed'", "they are done with; nobody has to replay them"},
    {0}};

static const struct uex_option retry_list[] = {{"--limit", "N",
                                                "most rows of the table, 0: all; default: 50 on a terminal, else all",
                                                &uex_ctl_options.limit, NULL},
                                               UEX_OPTION_OUTPUT(&uex_ctl_options.output),
                                               {0}};
static const struct uex_example retry_list_examples[] = {
    {"exportctl retry list", "what is tried again, when, and why it failed"},
    {"exportctl retry list g-17 --output json", "for a script"},
    {0}};

static const struct uex_option forget[] = {
    {"--force", NULL, "do not ask; needed where there is no terminal", NULL, &uex_ctl_options.force},
    {"--reason", "TEXT", "the reason, for the audit log", &uex_ctl_options.reason, NULL},
    {"--by", "TEXT", "who asks, for the audit log; default: login@host", &uex_ctl_options.by, NULL},
    UEX_OPTION_OUTPUT(&uex_ctl_options.output),
    {0}};
static const struct uex_example forget_examples[] = {
    {"exportctl forget g-17 --reason 'group was closed'", "after a question"}, {0}};

static const struct uex_option no_options[] = {{0}};

static const struct uex_example completion_examples[] = {
    {"source <(exportctl completion bash)", "in this shell, or as a line of ~/.bashrc"},
    {"exportctl completion zsh > ~/.zfunc/_exportctl", "with ~/.zfunc in $fpath before compinit"},
    {"exportctl completion fish | source", "or into ~/.config/fish/completions/exportctl.fish"},
    {0}};

static const struct uex_example doctor_examples[] = {
    {"exportctl doctor", "what is wrong and how to fix it, one line for each check"},
    {"exportctl doctor --output json | jq '.[] | select(.result == \"fail\")'", "for a script"},
    {0}};

const struct uex_option uex_common_options[] = {
    {"--wait-for", "D", "how long to wait for a dependency to answer; default: 5s on a terminal, else startup.timeout",
     &uex_ctl_options.wait_for, NULL},
    {"--color", "auto|never|always", "colours; auto: on a terminal, unless NO_COLOR is set or TERM is dumb",
     &uex_ctl_options.color, NULL},
    {"--wide", NULL, "do not fit tables to the terminal: all columns, nothing cut", NULL, &uex_ctl_options.wide},
    {0}};

static const struct uex_example help_examples[] = {
    {"exportctl help dlq replay", "the same as exportctl dlq replay --help"},
    {"exportctl help settings | less", "every setting with its default"},
    {0}};

static const struct uex_example version_examples[] = {{"exportctl version", "for a bug report"}, {0}};

/* ---- what reads the table below */

static int print(struct uex_buffer *out)
{
    const bool printed = uex_output_print(out);

    uex_buffer_clear(out);
    return printed ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

static int run_help(const struct uex_config *config, int operand_count, char **operands)
{
    const char *first_word = NULL;
    const struct uex_subcommand *subcommand =
        uex_subcommand_find(uex_subcommands, operand_count, operands, &first_word);
    struct uex_buffer out = {0};

    (void)config;
    if (first_word != NULL && strcmp(first_word, "settings") == 0)
        uex_settings_help(&out);
    else if (subcommand != NULL || first_word == NULL ||
             (operand_count == 1 && uex_subcommand_is_first(uex_subcommands, first_word)))
        uex_subcommand_help(uex_subcommands, subcommand, first_word, &out);
    else
        return uex_subcommand_unknown(uex_subcommands, first_word, operand_count > 1 ? operands[1] : NULL);
    return print(&out);
}

static int run_version(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_buffer out = {0};

    (void)config;
    (void)operand_count;
    (void)operands;
    uex_buffer_append_text(&out, "exportctl " UEX_VERSION "\n");
    return print(&out);
}

static int run_completion(const struct uex_config *config, int operand_count, char **operands)
{
    const struct uex_completion *shell = uex_completions;
    struct uex_buffer out = {0};

    (void)config;
    while (operand_count == 1 && shell->shell != NULL && strcmp(shell->shell, operands[0]) != 0)
        shell++;
    if (operand_count != 1 || shell->shell == NULL) {
        uex_output_error("completion: for which shell? There are bash, zsh and fish");
        return UEX_EXIT_USAGE;
    }
    shell->write(uex_subcommands, &out);
    return print(&out);
}

const struct uex_subcommand uex_subcommands[] = {
    {.name = "config check",
     .brief = "checks the settings, or shows them",
     .summary = "Checks the whole configuration without connecting to anything.",
     .examples = config_check_examples,
     .options = config_check,
     .check = uex_config_check_settings,
     .report = uex_config_check_report,
     .run = uex_config_check_run},
    {.name = "config show",
     .summary = "Shows every setting, its value and where it was set; a secret only as set or not set, a URL without "
                "its password.",
     .examples = config_show_examples,
     .options = output_only,
     .run = uex_config_show_run},
    {.name = "doctor",
     .brief = "tests every dependency with this configuration",
     .summary = "Tests every dependency with this configuration; reports what is wrong and how to fix it.",
     .details =
         "Doctor does what a worker does, and undoes it. It writes a record to each topic in transactions that "
         "it\naborts (readers with read_committed never see them), one with an offset of a consumer group of its "
         "own.\nIt writes an object under doctor/, checks that it cannot be overwritten, reads it and deletes it. "
         "It\ncompares the clocks of brokers, database and store with the clock of this machine. Exit code 1 if a "
         "check\nfailed, 3 if a dependency did not answer. Warnings do not change the exit code.",
     .examples = doctor_examples,
     .options = output_only,
     .needs = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
     .check = uex_check_all,
     .run = uex_doctor_run},
    {.name = "topics check",
     .brief = "compares, creates and grows the topics",
     .summary = "Compares the topics and their settings with what the programs need; exit code 1 on errors.",
     .examples = topics_check_examples,
     .options = output_only,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_check_run},
    {.name = "topics create",
     .summary = "Creates missing topics with their settings; does not change existing ones.",
     .examples = topics_create_examples,
     .options = topics_create,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_create_run},
    {.name = "topics grow",
     .summary = "Adds partitions to the command, state and retry topics, in the order that workers need.",
     .details = "The order is state topic, retry topics (also those beyond retry.delays), command topic. Each is "
                "visible on\nthe brokers before the next one grows. Partitions are never removed. After an "
                "interruption the same command\ncompletes the growth. Other topics may have another number of "
                "partitions; Kafka's own tools grow them.",
     .examples = topics_grow_examples,
     .options = topics_grow,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_topics_grow_run},
    {.name = "dlq list",
     .brief = "lists, replays or discards dead letters",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Lists the commands that failed for good, oldest first, and what was done with each.",
     .examples = dlq_list_examples,
     .options = dlq_list,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_list_run},
    {.name = "dlq show",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Shows everything known about dead letters.",
     .examples = dlq_show_examples,
     .options = dlq_show,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_show_run},
    {.name = "dlq replay",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Sends dead letters back to the command topic, each once; their attempts start at 1 again.",
     .details =
         "Key, value, command id and foreign headers do not change. One transaction (of up to 500 dead letters) "
         "has\nthe commands and the marks that they were replayed. So nothing is replayed twice, even if exportctl "
         "is\ninterrupted or two people replay at the same time; then the later replay continues and the other one "
         "stops.\nA dead letter is left alone if it was replayed or discarded before, or if its command was exported "
         "or\nskipped since. With --again it is replayed all the same. A command that has ended can run again only "
         "under\na new id: --again writes one into the header and, if the value has the old id, into the value; "
         "nothing else\nin the value changes. A dead letter without a value (it was too large) cannot be replayed. "
         "With "
         "--wait, exportctl\nwaits as trigger does, with the same exit codes.",
     .examples = dlq_replay_examples,
     .options = dlq_replay,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_replay_run},
    {.name = "dlq discard",
     .operands = "[PARTITION:OFFSET…]",
     .summary = "Marks dead letters as not to be replayed, with a reason.",
     .details = "They stay in the topic until its retention removes them. `dlq replay --again` can still replay them.",
     .examples = dlq_discard_examples,
     .options = dlq_discard,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_dlq_discard_run},
    {.name = "retry list",
     .brief = "what waits to be tried again",
     .operands = "[GROUP…]",
     .summary = "Lists the commands that wait in the retry topics: when each is tried again, and its error.",
     .details = "A command is listed until its outcome is committed, so also while it is tried again.",
     .examples = retry_list_examples,
     .options = retry_list,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_retry_list_run},
    {.name = "trigger",
     .brief = "sends export commands",
     .operands = "GROUP…|--all",
     .summary = "Sends an export command for each group, all in one Kafka transaction.",
     .details =
         "Each command has a new id, so no group is skipped as a duplicate. With --wait, exportctl waits until "
         "each\ngroup was exported, skipped or dead-lettered; after a retry it waits on. Exit code 1 if a group "
         "was\ndead-lettered, or if a named group was skipped for another reason than being empty; 4 if "
         "--timeout ran out.\nCtrl-C ends the waiting, not the exports. With --all and --run it starts a run as the "
         "scheduler\ndoes: a run that was started before is not sent again, unless --again says so. On a terminal, "
         "exportctl asks before it\nsends a "
         "command for a GROUP that the group view does not have, and names what was perhaps meant.",
     .examples = trigger_examples,
     .options = trigger,
     .needs = UEX_NEED_KAFKA,
     .check = uex_trigger_check,
     .run = uex_trigger_run},
    {.name = "run list",
     .brief = "runs: listed, shown, waited for, finished",
     .summary = "Lists the runs of topics.run, the newest first.",
     .details = "With --output json the records of the topic, as they are. A run is started by the scheduler, or by "
                "trigger\n--all --run ID; with schedule.wait the scheduler writes its end.",
     .examples = run_list_examples,
     .options = run_list,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_run_list_run},
    {.name = "run show",
     .operands = "RUN",
     .summary = "Shows a run: its counts, and the groups that failed or have not ended.",
     .details = "RUN is a runId, or `last` for the run that was started last. The groups are those of the run's "
                "commands. What\nthe states say now may be more than the run's record: dead letters may have been "
                "replayed since.",
     .examples = run_show_examples,
     .options = run_show,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_run_show_run},
    {.name = "run wait",
     .operands = "RUN",
     .summary = "Waits until every group of a run has ended.",
     .details =
         "A group has ended when it was exported, skipped or dead-lettered; after a retry it has not. Exit code 0 "
         "if all\nwere exported or skipped, 1 if some were dead-lettered, 4 if --timeout ran out. Ctrl-C ends the "
         "waiting, not\nthe exports. Nothing is written: that is the scheduler's business, or that of run finish.",
     .examples = run_wait_examples,
     .options = run_wait,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_run_wait_run},
    {.name = "run finish",
     .operands = "RUN",
     .summary = "Writes the end of a run again, with what became of its groups by now.",
     .details =
         "For a run whose dead letters were replayed, or whose scheduler did not wait for its end. With "
         "schedule.manifest\na new manifest is created before. Exit code 0 if every group was exported or skipped, "
         "1 if some were\ndead-lettered, or if some have not ended and nothing was written.",
     .examples = run_finish_examples,
     .options = run_finish,
     .needs = UEX_NEED_KAFKA,
     .check = uex_run_finish_check,
     .run = uex_run_finish_run},
    {.name = "verify",
     .brief = "checks exported objects against announcements",
     .operands = "GROUP…|--run ID",
     .summary = "Reads exported objects and compares them with what was announced to FlairBit and with the states.",
     .details = "Of an object it checks sha256, size, that it is whole (one gzip member of CSV or JSON Lines, "
                "or Parquet with its\nfooter), row count and columns; of a\nlist of usernames, that all parts are "
                "there with as many names as announced. Objects are read as a "
                "stream.\nThe columns are those of export.columns and of the user view. Of an object that was "
                "exported with another\nlayout (its metadata export-layout tells) they are not compared: that check "
                "stays open, which is no failure.\nWithout postgres.dsn they are compared with the settings "
                "alone.\nExit code 1 if a check fails.",
     .examples = verify_examples,
     .options = verify,
     .needs = UEX_NEED_KAFKA | UEX_NEED_STORAGE,
     .check = uex_verify_check_config,
     .run = uex_verify_run},
    {.name = "export",
     .brief = "writes one group's rows to a file",
     .operands = "GROUP",
     .summary = "Writes one group's rows to a file, as a worker would. Needs neither Kafka nor the object store.",
     .details = "Columns, masks and format come from export.*, as for a worker. Groups that are not cost-based are "
                "written\nas files too. FILE appears when it is complete; an existing file is replaced only with "
                "--force. Nothing is\nannounced.",
     .examples = export_examples,
     .options = export_group,
     .needs = UEX_NEED_POSTGRES,
     .check = uex_export_check,
     .run = uex_export_run},
    {.name = "schema",
     .brief = "the columns that readers of files get",
     .summary = "Prints which columns the files of this deployment have, of which types.",
     .details =
         "Types come from the user view, so the database is asked. With --output json it is a Table Schema "
         "(Frictionless\nData Package). With --json-schema it is a JSON Schema (draft 2020-12) of a row as JSON Lines "
         "have it, whatever\nexport.format is. Masked columns are text. The layout's id is that of the header "
         "export-layout.",
     .examples = schema_examples,
     .options = schema,
     .needs = UEX_NEED_POSTGRES,
     .check = uex_export_check,
     .run = uex_schema_run},
    {.name = "status",
     .brief = "outcomes of groups, or how a run went",
     .operands = "[GROUP…]",
     .summary = "Shows the last outcome of each group, or its outcome in a run; failed ones first.",
     .details =
         "The first line says what there is to do and who does it: workers (members of the consumer group), commands "
         "that\nwait, commands that are retried and when the next one is due, open dead letters, open circuit "
         "breakers. What\ncannot be had is unknown, with the reason. Then the running exports, and a row for each "
         "group.\nA group without an outcome is queued (its command waits), running, or not-scheduled (there is no "
         "command).\nWith --run the database is asked for the active groups, to find those that were not scheduled; "
         "without\npostgres.dsn or an answer they are unknown. A state holds the last 16 commands of its group, so the "
         "outcome\nin an older run may be unknown. --check without --run looks at the newest run that was started, or "
         "else at\nthe last outcome of each group.\nExit code 1 if a named GROUP has no outcome, if the run is not "
         "known, or if --check finds something.",
     .examples = status_examples,
     .options = status,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_status_run},
    {.name = "report",
     .summary = "Writes a run as one page of HTML: counts, failed groups and what fixes them, slowest exports, trend.",
     .details =
         "The page needs no server, runs no script and names no person. It shows the run as it is now, so also "
         "what\nbecame of it after its end. Of more than 1,000 failed groups it shows the first 1,000. Times are "
         "those of\nschedule.timezone.",
     .brief = "writes a run as one page of HTML",
     .examples = report_examples,
     .options = report,
     .needs = UEX_NEED_KAFKA,
     .check = uex_report_check,
     .run = uex_report_run},
    {.name = "forget",
     .brief = "what is known of a group: removed",
     .operands = "GROUP…",
     .summary =
         "Removes the state of groups: their last outcome, recent commands and last export are not known any more.",
     .details =
         "A command that is sent again (by a second start of the same run, or as a replayed dead letter) is then "
         "no\nduplicate and exports the group once more, and verify finds nothing to compare. Objects and "
         "results stay.\nA group is not forgotten while a command of it waits or runs. Workers that run keep "
         "what they know until\ntheir next rebalance or restart: restart them before the group gets a "
         "command. Asks first on a terminal.",
     .examples = forget_examples,
     .options = forget,
     .needs = UEX_NEED_KAFKA,
     .check = uex_check_kafka,
     .run = uex_forget_run},
    {.name = "help",
     .operands = "[SUBCOMMAND|settings]",
     .summary = "Shows what a subcommand does, with options and examples; all subcommands; or all settings.",
     .brief = "shows help for a subcommand, or all settings",
     .examples = help_examples,
     .options = no_options,
     .run = run_help,
     .ignores_config = true},
    {.name = "version",
     .summary = "Prints the version.",
     .brief = "prints the version",
     .examples = version_examples,
     .options = no_options,
     .run = run_version,
     .ignores_config = true},
    {.name = "completion",
     .operands = "bash|zsh|fish",
     .brief = "prints a script for the completion of a shell",
     .summary = "Prints a script for a shell that completes subcommands, options, settings and their values.",
     .examples = completion_examples,
     .options = no_options,
     .run = run_completion,
     .ignores_config = true},
    {0}};
