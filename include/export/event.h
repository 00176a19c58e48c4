/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/event.h — the codes of log lines.
 *
 * Every log line has one, in its field `event`. Codes are part of what operators rely on: alerts and tests match a code
 * and fields, never a sentence. A code is never renamed and never gets another meaning; sentences may change.
 * The table in docs/audit.md is generated from this one (UEX_WRITE_DOCS=1, tests/unit/core/event_test.c).
 */
#ifndef EXPORT_EVENT_H
#define EXPORT_EVENT_H

/* GROUP(title) begins a section; EVENT(name, code, what it means and what to do). */
#define UEX_EVENT_TABLE(GROUP, EVENT)                                                                                  \
    GROUP("Programs")                                                                                                  \
    EVENT(CONFIG_INVALID, "configuration-invalid",                                                                     \
          "A setting or an option is wrong. The program ends with exit code 2; nothing was touched.")                  \
    EVENT(CONFIG_WARNING, "configuration-warning", "A setting is accepted, but probably not what was meant.")          \
    EVENT(CONFIG_REFUSED, "configuration-refused",                                                                     \
          "Kafka refuses a timeout of the configuration, or a mask does not fit the views of the database; the "       \
          "program ends with exit code 2.")                                                                            \
    EVENT(LIST_BEYOND_TIMEOUT, "list-beyond-timeout",                                                                  \
          "A list as long as `commit.max_list` allows may not be sent within `kafka.transaction.timeout.ms`. Lower "   \
          "the one or raise the other.")                                                                               \
    EVENT(WORK_DIR_MADE_PRIVATE, "work-dir-made-private",                                                              \
          "Others could write to `export.work_dir`; their write permission was removed.")                              \
    EVENT(START_FAILED, "start-failed", "The program could not start; `code` and `error` say why.")                    \
    EVENT(OUT_OF_MEMORY, "out-of-memory",                                                                              \
          "Not enough memory: the program ends with exit code 1. Raise the memory limit or lower `export.lanes`.")     \
    EVENT(LOG_LINES_LOST, "log-lines-lost", "Log lines were dropped because stderr was full; `lines` says how many.")  \
    EVENT(DEPENDENCY_WAIT, "dependency-wait",                                                                          \
          "The program waits at start for a dependency, at most for `startup.timeout`.")                               \
    EVENT(TOPIC_MISCONFIGURED, "topic-misconfigured",                                                                  \
          "A topic is not as the worker needs it; `what` says how. `exportctl topics check` shows all of them.")       \
    EVENT(SECRETS_RELOADED, "secrets-reloaded", "The secrets of the store and of Redis were read again.")              \
    EVENT(SECRETS_FAILED, "secrets-failed", "Reloading secrets failed; the current ones stay in use.")                 \
    EVENT(CREDENTIALS_NOT_RENEWED, "credentials-not-renewed",                                                          \
          "Temporary credentials of the store could not be renewed yet; they are still valid.")                        \
    GROUP("The worker's life")                                                                                         \
    EVENT(HTTP_LISTENING, "http-listening", "`/metrics`, `/livez` and `/readyz` are served at `address`.")             \
    EVENT(WORKER_READY, "worker-ready", "The worker has checked its dependencies and has joined the consumer group.")  \
    EVENT(SHUTDOWN_BEGIN, "shutdown-begin", "SIGTERM or SIGINT: no command starts any more; running exports may end.") \
    EVENT(EXPORTS_ABANDONED, "exports-abandoned",                                                                      \
          "`shutdown.timeout` is over. The next owner of the partitions runs these exports again.")                    \
    EVENT(OUTCOMES_UNCOMMITTED, "outcomes-uncommitted",                                                                \
          "The process ends with outcomes that are not committed. The next owner makes them again.")                   \
    EVENT(LEAVES_AT_ONCE, "leaves-at-once", "Leaving Kafka took too long; the process ends without it.")               \
    EVENT(SHUTDOWN_END, "shutdown-end", "The worker ends.")                                                            \
    GROUP("Commands")                                                                                                  \
    EVENT(COMMAND_TAKEN, "command-taken", "A worker thread took a command (level `debug`).")                           \
    EVENT(OUTCOME, "outcome", "The outcome of a command was committed: the audit line, see above.")                    \
    EVENT(SPAN_BEGIN, "span-begin", "A span of a trace begins.")                                                       \
    EVENT(SPAN_END, "span-end", "A span of a trace ended.")                                                            \
    EVENT(GROUP_TYPE_INVALID, "group-type-invalid",                                                                    \
          "The type of the group is not known; the group is skipped. Correct `group_type` in the group view, or "      \
          "`export.file_types` and `export.list_types`.")                                                              \
    EVENT(ONE_READER, "one-reader",                                                                                    \
          "One connection reads a large group although `export.readers` is above 1; `error` says why. Once per "       \
          "process.")                                                                                                  \
    EVENT(RETRY_DUE_BOUNDED, "retry-due-bounded",                                                                      \
          "A record in a retry topic asks for a longer wait than the delay of that topic; the delay counts.")          \
    EVENT(                                                                                                             \
        LIST_TIMED_OUT, "list-timed-out",                                                                              \
        "A list of usernames could not be sent within `kafka.transaction.timeout.ms`. Three times in a row at a "      \
        "pace that is too slow for it: its command becomes a dead letter. Where hardly anything was acknowledged, "    \
        "as in an outage of the result topic, it is tried until it goes through (once a minute; `mend` says what to "  \
        "look at).")                                                                                                   \
    EVENT(DEAD_LETTER_REFUSED, "dead-letter-refused",                                                                  \
          "Kafka refused even the bare dead letter of a command. Its offset stays open, and it is tried again. Look "  \
          "at the dead-letter topic.")                                                                                 \
    EVENT(DLQ, "dlq", "`exportctl` replayed or discarded a dead letter.")                                              \
    EVENT(GROUP_FORGOTTEN, "group-forgotten", "`exportctl forget` removed the state of a group.")                      \
    GROUP("Dependencies")                                                                                              \
    EVENT(BREAKER_OPEN, "breaker-open",                                                                                \
          "Circuit breaker open: a dependency is unavailable. No command starts or is charged a retry until it "       \
          "recovers.")                                                                                                 \
    EVENT(BREAKER_WAIT, "breaker-wait", "The circuit breaker is still open. Once a minute.")                           \
    EVENT(BREAKER_CLOSED, "breaker-closed", "The dependency works again; commands start.")                             \
    EVENT(CONNECTIONS_SHORT, "connections-short",                                                                      \
          "The database has no free connection for a worker thread; its command waits for one and is not charged.")    \
    EVENT(CONNECTIONS_NONE, "connections-none",                                                                        \
          "No thread of this worker gets a connection. Once a minute. See who holds them, or raise the limit.")        \
    EVENT(CONNECTIONS_ENOUGH, "connections-enough", "No thread waits for a connection any more.")                      \
    EVENT(                                                                                                             \
        PROBE_UNCLEAR, "probe-unclear",                                                                                \
        "The store answers a wrong request of the worker's probe with `status` and `code`, which the worker does not " \
        "know. Exports go on.")                                                                                        \
    EVENT(PROBE_STARVED, "probe-starved",                                                                              \
          "Not enough memory, or no thread, to ask whether a dependency is well. The command is run again, charged "   \
          "only at the `retry.crashes`th time. Raise the memory limit or the limit of processes.")                     \
    EVENT(UPLOADS_STAY, "uploads-stay",                                                                                \
          "The store does not list or abort incomplete multipart uploads. Exports go on; a lifecycle rule of the "     \
          "bucket must end what a crashed worker leaves.")                                                             \
    EVENT(DATABASE_NOTICE, "database-notice",                                                                          \
          "The database sent a notice; its text may quote data and is not logged (level `debug`).")                    \
    EVENT(REPLICA_LAG_HIDDEN, "replica-lag-hidden",                                                                    \
          "A replica refuses to say how far it is behind. The time of a snapshot is that of its clock; with "          \
          "`postgres.max_lag` its commands fail with `database-lagging`.")                                             \
    EVENT(CACHE_DOWN, "cache-down", "Redis does not work; groups are looked up in the database. Once a minute.")       \
    EVENT(CACHE_UP, "cache-up", "Redis works again.")                                                                  \
    GROUP("Consumer group and topics")                                                                                 \
    EVENT(PARTITIONS_ASSIGNED, "partitions-assigned", "The worker owns these partitions now.")                         \
    EVENT(PARTITIONS_REVOKED, "partitions-revoked",                                                                    \
          "The worker has given up its partitions; running exports go on and are adopted if their partition comes "    \
          "back.")                                                                                                     \
    EVENT(ASSIGNMENT_OUTDATED, "assignment-outdated",                                                                  \
          "An assignment does not hold any more: the group has moved on. The worker answers it with nothing and "      \
          "waits for the next one. Normal while topics grow or workers come and go.")                                  \
    EVENT(ASSIGNMENT_UNCONFIRMED, "assignment-unconfirmed",                                                            \
          "The group coordinator did not confirm an assignment; the worker rejoins.")                                  \
    EVENT(PARTITION_SPLIT, "partition-split",                                                                          \
          "A partition is not owned in the command topic and every retry topic. It waits, and the worker rejoins.")    \
    EVENT(MEMBERSHIP_LOST, "membership-lost",                                                                          \
          "The membership ended while partitions were assigned; nothing is committed before the next assignment.")     \
    EVENT(REBALANCE_FAILED, "rebalance-failed", "The rebalance failed; the client tries again.")                       \
    EVENT(REJOIN, "rejoin", "Rejoining the consumer group: topics changed or an assignment was rejected.")             \
    EVENT(SUBSCRIBE_FAILED, "subscribe-failed", "Subscribing to the topics failed; the worker tries again.")           \
    EVENT(OFFSETS_UNKNOWN, "offsets-unknown",                                                                          \
          "The committed offsets are not known yet: a transaction of the previous owner is open, or Kafka does not "   \
          "answer. Asking again.")                                                                                     \
    EVENT(PREVIOUS_OWNER_CRASHED, "previous-owner-crashed",                                                            \
          "The previous owner crashed, or lost its membership, while commands were under way. Its unfinished "         \
          "commands run one at a time first.")                                                                         \
    EVENT(CRASH_MARKER_OWN, "crash-marker-own",                                                                        \
          "This worker lost its membership while commands were under way, and has their partitions again. Nobody "     \
          "crashed. Its unfinished commands run one at a time first.")                                                 \
    EVENT(POISON_SUSPECTED, "poison-suspected",                                                                        \
          "A command runs exclusively. `cause` is `crash-marker`: a worker crashed, or lost the partition, while it "  \
          "may have been running; or `breaker`: it was running each time that a circuit breaker opened.")              \
    EVENT(EXPORT_ADOPTED, "export-adopted", "A running export goes on: its partition came back.")                      \
    EVENT(TOPIC_RESET, "topic-reset",                                                                                  \
          "The topic has other records than before: it was probably deleted and created again. Its commands run from " \
          "its beginning.")                                                                                            \
    EVENT(LOG_CHECK, "log-check",                                                                                      \
          "A topic goes back behind what was already read. Its last records are read again and compared.")             \
    EVENT(LOG_UNCHANGED, "log-unchanged", "The records that were compared are the same as before; going on.")          \
    EVENT(LOG_CUT, "log-cut",                                                                                          \
          "The end of a topic's log is gone: a broker lost records. Commands that stood there are given up; those "    \
          "before it go on.")                                                                                          \
    EVENT(PARTITION_COUNT_UNKNOWN, "partition-count-unknown",                                                          \
          "A command waits: the partition count of the command topic is unknown.")                                     \
    EVENT(STATE_RESTORED, "state-restored", "The states of the assigned partitions are read; their commands start.")   \
    EVENT(STATE_UNREADABLE, "state-unreadable",                                                                        \
          "A state record cannot be read and is skipped; the group's history is unknown until its next outcome.")      \
    EVENT(STATE_READ_ERROR, "state-read-error", "Reading the state topic failed; going on.")                           \
    EVENT(STATE_END_UNKNOWN, "state-end-unknown", "The end of the state topic is unknown; asking again.")              \
    EVENT(CONSUMER_ERROR, "consumer-error", "The consumer reports an error and goes on.")                              \
    EVENT(CONSUMER_FATAL, "consumer-fatal",                                                                            \
          "The consumer cannot go on; the program ends. Perhaps two members share a `kafka.group.instance.id`.")       \
    EVENT(KAFKA_CLIENT, "kafka-client",                                                                                \
          "A line of librdkafka; `kind` and `detail` are its own. One of a kind every 10 s. The worker leaves out "    \
          "what only says that a broker is away; while others answer it says so once a minute.")                       \
    EVENT(KAFKA_AWAY, "kafka-away",                                                                                    \
          "No broker has answered `since` then. Nothing is read or committed; running exports go on, and `outcomes` "  \
          "wait to be committed. Once a minute while it lasts. Look at the brokers and at the way to them.")           \
    EVENT(KAFKA_BACK, "kafka-back",                                                                                    \
          "A broker answers again after `away_ms`; the `outcomes` that have waited are committed now.")                \
    EVENT(GROUP_METADATA_UNKNOWN, "group-metadata-unknown",                                                            \
          "This version of librdkafka writes group metadata in a layout that is not known; one check of an "           \
          "assignment is left out.")                                                                                   \
    EVENT(PROGRESS_REFUSED, "progress-refused",                                                                        \
          "Records of progress cannot be written; `exportctl status` sees neither this worker nor what runs here.")    \
    GROUP("Transactions")                                                                                              \
    EVENT(TXN_ABORTED, "transaction-aborted",                                                                          \
          "A transaction was aborted or its end is unknown; its outcomes stay queued and are tried again.")            \
    EVENT(                                                                                                             \
        TXN_UNFINISHED, "transaction-unfinished",                                                                      \
        "A transaction did not end before the partitions were revoked; the committed offsets will show how it ended.") \
    EVENT(TXN_FENCED, "transaction-fenced",                                                                            \
          "The broker refused offsets of an older generation; outcomes wait for the next assignment.")                 \
    EVENT(PRODUCER_REBUILD, "producer-rebuild",                                                                        \
          "The transactional producer is built again, or could not be and is tried again; `error` says why. Nothing "  \
          "is committed meanwhile. Look at limits of threads and memory, and at the files of certificates.")           \
    GROUP("The scheduler")                                                                                             \
    EVENT(GROUPS_READ, "groups-read", "The active groups were read.")                                                  \
    EVENT(NO_GROUPS, "no-groups", "There is no active group; nothing is scheduled.")                                   \
    EVENT(GROUP_ID_INVALID, "group-id-invalid",                                                                        \
          "A group is left out: its id is not 1 to 255 bytes of UTF-8 without control characters.")                    \
    EVENT(LAG_WAIT, "lag-wait", "Waiting until the downstream consumer group has caught up.")                          \
    EVENT(LAG_REACHED, "lag-reached", "The downstream consumer group has caught up.")                                  \
    EVENT(SCHEDULE_PROGRESS, "schedule-progress", "Commands are being sent.")                                          \
    EVENT(SCHEDULED, "scheduled", "All commands of the run are committed.")                                            \
    EVENT(SCHEDULE_FAILED, "schedule-failed", "Nothing was scheduled; `error` says why.")                              \
    EVENT(SCHEDULER_FENCED, "scheduler-fenced",                                                                        \
          "Another start of a run took over, and this one sent nothing. Where that was of another run, this one "      \
          "tries again, three times in all.")                                                                          \
    EVENT(DRY_RUN, "dry-run", "`--dry-run`: nothing was sent.")                                                        \
    EVENT(                                                                                                             \
        RUN_NOT_RECORDED, "run-not-recorded",                                                                          \
        "The run is not recorded: `topics.run` does not exist (`exportctl topics create` makes it), or has a run of "  \
        "this name of another deployment. The commands are sent all the same, also if they were before.")              \
    EVENT(RUN_KNOWN, "run-known",                                                                                      \
          "The run was started before; nothing is sent. `--again` sends its commands once more. With the counts of "   \
          "its end, where it has one.")                                                                                \
    EVENT(RUN_PROGRESS, "run-progress", "How many groups of the run have ended; once a minute.")                       \
    EVENT(RUN_KAFKA_AWAY, "run-kafka-away",                                                                            \
          "Kafka does not answer while a run is waited for. The waiting goes on; said once a minute.")                 \
    EVENT(RUN_STATES_LOST, "run-states-lost",                                                                          \
          "`topics.state` was made anew while a run was waited for, or is gone. Groups whose outcomes were lost with " \
          "it stay unfinished; said once a minute.")                                                                   \
    EVENT(RUN_COMPLETED, "run-completed",                                                                              \
          "Every group of the run has ended; some may be dead letters: look at `dead_lettered`.")                      \
    EVENT(RUN_INCOMPLETE, "run-incomplete",                                                                            \
          "`schedule.wait` is over, and some groups of the run have not ended. `exportctl run show` names them.")      \
    EVENT(RUN_TAKEN_OVER, "run-taken-over", "The run was started again meanwhile; its end is left to who did.")        \
    EVENT(RUN_MANIFEST_WAIT, "run-manifest-wait",                                                                      \
          "The manifest of a run cannot be written yet; `error` says why. It is tried again until `schedule.wait` is " \
          "over; said once a minute.")                                                                                 \
    EVENT(RUN_MANIFEST_FAILED, "run-manifest-failed",                                                                  \
          "The manifest of a run was not written, so the run is `incomplete` though its groups have ended; `error` "   \
          "says why. `exportctl run finish` writes both.")                                                             \
    EVENT(RUN_REPORT_FAILED, "run-report-failed",                                                                      \
          "The page of a run was not put beside its manifest; `error` says why. The run's end is written all the "     \
          "same; `exportctl report` makes the page.")                                                                  \
    EVENT(RUN_WAIT_ENDED, "run-wait-ended",                                                                            \
          "The waiting for the run's end is over without an end being written; `error` says why. The next start of "   \
          "the scheduler goes on.")                                                                                    \
    EVENT(PROFILE_TEST, "profile-test", "`profile` is `test`; nothing is scheduled.")

enum uex_event {
#define UEX_EVENT_NO_GROUP(title_)
#define UEX_EVENT_ENUM(name_, code_, meaning_) UEX_EVENT_##name_,
    UEX_EVENT_TABLE(UEX_EVENT_NO_GROUP, UEX_EVENT_ENUM)
#undef UEX_EVENT_NO_GROUP
#undef UEX_EVENT_ENUM
        UEX_EVENT_COUNT
};

/* The code, for example "breaker-open". Never NULL. Any thread. */
const char *uex_event_code(enum uex_event event);
#endif
