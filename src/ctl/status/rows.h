/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/rows.h — what exportctl status shows: a row for each group, and how many of each outcome. A state
 * record is parsed when it arrives, while librdkafka fetches the next ones, and only its row is kept. One thread. */
#ifndef EXPORT_CTL_STATUS_ROWS_H
#define EXPORT_CTL_STATUS_ROWS_H

#include "ctl/connect.h"
#include "ctl/output.h"
#include "ctl/state_reader.h"
#include "ctl/status/known_runs.h"
#include "export/group_state_view.h"
#include "run/rule.h"

/* In the order in which they are shown: what needs attention comes first. */
enum uex_status {
    UEX_STATUS_DEAD_LETTERED,
    UEX_STATUS_UNREADABLE, /* its state record cannot be read */
    UEX_STATUS_RETRIED,
    UEX_STATUS_NOT_SCHEDULED, /* no outcome (in this run), and no command waits for one */
    UEX_STATUS_RUNNING,       /* a worker exports it now */
    UEX_STATUS_QUEUED,        /* a command waits for a worker */
    UEX_STATUS_UNKNOWN,       /* the run is older than the last 16 commands of the state; or see waiting_unknown */
    UEX_STATUS_SKIPPED,
    UEX_STATUS_EXPORTED,
    UEX_STATUS_COUNT
};
/* "dead-lettered", … */
const char *uex_status_text(enum uex_status status);
/* The SGR parameters for it on a terminal; NULL: none. */
const char *uex_status_colour(const char *text);
/* Is it an outcome? */
bool uex_status_is_outcome(enum uex_status status);
/* Is it known that there is no outcome yet? */
bool uex_status_is_open(enum uex_status status);

/* One block of memory with its strings, which are "" if absent. Figures are of the outcome shown; UEX_UNKNOWN and
 * UEX_NO_TIME if the state does not have them (any more). */
struct uex_status_row {
    enum uex_status status;
    const char *group_id, *reason, *error, *run_id, *file_path, *sha256;
    char command_id[UEX_UUID_TEXT_SIZE];
    int64_t at_ms, snapshot_at_ms, duration_ms, next_attempt_at_ms, last_exported_at_ms;
    uint64_t rows, bytes, attempts;
    uint64_t last_exported_rows;
    int64_t newest_at_ms; /* of the state record */
    int32_t partition;    /* of the state topic */
    bool is_wanted;       /* for the caller */
    size_t index;         /* of the rows */
    char strings[];
};

/* The row of a state record: its newest outcome, or with `rule` (NULL: none) the group's outcome in that run, as
 * uex_run_outcome_of() finds it. `value.data` NULL: there is no record. NULL when memory ends. */
UEX_MUST_CHECK struct uex_status_row *uex_status_row_of_state(const char *group_id, struct uex_bytes value,
                                                              const struct uex_run_rule *rule);
/* The row of an outcome itself. NULL when memory ends. */
UEX_MUST_CHECK struct uex_status_row *uex_status_row_of_record(const struct uex_state_record *record);
/* Accepts NULL. */
void uex_status_row_free(struct uex_status_row *row);

/* A zeroed struct is empty. */
struct uex_status_rows {
    const struct uex_run_rule *rule; /* for uex_status_rows_take(): of a run; NULL: the newest outcomes; borrowed */
    struct uex_known_runs *runs;     /* gets the runs of the newest outcomes; may be NULL; borrowed */
    struct uex_state_set *history;   /* --history: the states of the groups that were asked for; NULL: not; borrowed */
    bool waiting_unknown;            /* nobody knows which commands wait: without an outcome, a group is unknown */
    struct uex_status_row **items;   /* owned */
    size_t count, capacity;
    size_t counts[UEX_STATUS_COUNT];
    void *root; /* of tsearch(3): the rows by their groups' ids */
};
void uex_status_rows_clear(struct uex_status_rows *rows);
/* The row of a group; NULL if there is none. */
struct uex_status_row *uex_status_rows_find(const struct uex_status_rows *rows, const char *group_id);
/* Add a row; takes ownership. Of two rows of a group the newer stays. UEX_NO_MEMORY: `row` is freed too. */
UEX_MUST_CHECK enum uex_error uex_status_rows_put(struct uex_status_rows *rows, struct uex_status_row *row);
/* Add a record of the state topic; of two of a group the newer stays, one without a value removes its group.
 * `context` is the rows; its signature is that of uex_topic_reader_drain(). UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_status_rows_take(void *context, const rd_kafka_message_t *message);
/* Give a row another status. */
void uex_status_rows_set(struct uex_status_rows *rows, struct uex_status_row *row, enum uex_status status);
/* Remove rows that are not wanted. */
void uex_status_rows_keep_wanted(struct uex_status_rows *rows);
/* After all were added: decide which rows of the run are unknown and which were not scheduled, and sort. */
void uex_status_rows_finish(struct uex_status_rows *rows);

/* An outcome in one line for people: "g-17  exported  12,345 rows  3.2 s  s3://…". */
void uex_status_row_write(const struct uex_status_row *row, struct uex_buffer *out);
/* The same as a JSON object with "event": "outcome" in it. */
void uex_status_row_write_json(const struct uex_status_row *row, struct uex_buffer *out);
/* "10,000 groups: 2 dead-lettered, 1 queued, 9,997 exported", without a line end. */
void uex_status_counts_write(const struct uex_status_rows *rows, struct uex_buffer *out);
/* The same as the members of a JSON object, without its braces: "exported": 9997, …; "missing" is the sum of those that
 * are open, as in 1.0. */
void uex_status_counts_write_json(const struct uex_status_rows *rows, struct uex_buffer *out);
/* The first `count` rows as a table or a JSON array. */
void uex_status_rows_write(const struct uex_status_rows *rows, size_t count, enum uex_output format,
                           struct uex_buffer *out);
#endif
