/* SPDX-License-Identifier: Apache-2.0 */
#include "config/table.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/check.h"
#include "export/clock.h"
#include "export/cpus.h"

#define SECOND INT64_C(1000)
#define HOUR INT64_C(3600000)
#define WEEK (168 * HOUR)
#define MIB (INT64_C(1) << 20)

#define FIELD(field_) .offset = offsetof(struct uex_config, field_)
#define TEXT(key_, field_, default_, valid_, allowed_)                                                                 \
    .key = (key_), .type = UEX_SETTING_TEXT, FIELD(field_), .default_text = (default_), .valid = (valid_),             \
    .allowed = (allowed_)
#define TOPIC(key_, field_, default_) TEXT(key_, field_, default_, uex_check_topic, TOPIC_NAME)
#define NUMBER(key_, type_, field_, default_, least_, most_)                                                           \
    .key = (key_), .type = UEX_SETTING_##type_, FIELD(field_), .default_text = (default_), .least = (least_),          \
    .most = (most_)
#define CHOICE(key_, field_, default_, allowed_)                                                                       \
    .key = (key_), .type = UEX_SETTING_CHOICE, FIELD(field_), .default_text = (default_), .allowed = (allowed_)
#define SECRET .secret = true, .empty_allowed = true
#define MAY_BE_EMPTY .empty_allowed = true

#define TOPIC_NAME "the name of a topic: 1 to 249 of a-z A-Z 0-9 . _ -"
#define S3_WORD "1 to 64 of a-z A-Z 0-9 _ -"
#define VIEW_NAME "the name of a view, with its schema before it or not, quoted as in SQL where it has to be"

static void work_out_lanes(char *const *environment, struct uex_buffer *out)
{
    (void)environment;
    uex_buffer_append_format(out, "%d", uex_lanes_default(uex_cpus_allowed("/proc/self/cgroup", "/sys/fs/cgroup")));
}

/* Missing, ours, or a volume of root that we may write: nobody else can have put it there. */
static bool may_work_in(const char *path)
{
    struct stat facts;

    if (lstat(path, &facts) != 0)
        return errno == ENOENT;
    return S_ISDIR(facts.st_mode) && (facts.st_uid == geteuid() ||
                                      (facts.st_uid == 0 && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0));
}

/* In a shared /tmp the first user gets the plain name, every other one a name of their own. */
static void work_out_dir(char *const *environment, struct uex_buffer *out)
{
    const char *parent = "/tmp";

    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, "TMPDIR=/", 8) == 0)
            parent = *environment + strlen("TMPDIR=");
    }
    uex_buffer_append_format(out, "%s/users-export", parent);
    if (!may_work_in(uex_buffer_text(out)))
        uex_buffer_append_format(out, "-%u", (unsigned)geteuid());
}

/* In the order of help and documentation. A section's settings stand together; kafka.* is in kafka.c. */
const struct uex_setting uex_settings[] = {
    {CHOICE("profile", profile, "production", "production|test"),
     .help = "`test`: the scheduler sends nothing, logs that, and exits 0"},

    {TOPIC("topics.command", topics_command, "export-group"), .help = "topic of the commands"},
    {TEXT("topics.retry", topics_retry, "export-group-retry", uex_check_retry_topic,
          "a prefix of topic names: 1 to 246 of a-z A-Z 0-9 . _ -"),
     .help = "retry topics: this name and -0, -1, …, one for each entry of retry.delays"},
    {TOPIC("topics.state", topics_state, "export-group-state"),
     .help = "compacted topic: the last outcome of each group"},
    {TOPIC("topics.progress", topics_progress, "export-group-progress"),
     .help = "progress snapshots of running exports; not transactional, short retention"},
    {TOPIC("topics.result", topics_result, "flairbit-users"), .help = "topic of the results, for FlairBit"},
    {TOPIC("topics.dlq", topics_dlq, "flairbit-dlq"), .help = "topic of dead letters: commands that failed for good"},
    {TOPIC("topics.run", topics_run, "export-group-run"),
     .help = "compacted topic of one partition: the runs, with their start and end"},

    {TEXT("postgres.dsn", postgres_dsn, "", NULL, "a connection string or URI of libpq"), SECRET, .words = true,
     .is_location = true,
     .help = "the database; with several hosts and target_session_attrs, reads can prefer a replica"},
    {NUMBER("postgres.stall_timeout", DURATION, postgres_stall_timeout_ms, "60s", 10, 24 * HOUR),
     .help = "how long a query may go without a result, or a COPY without a row; then it is cancelled. Each 256 KiB "
             "received add 1 s"},
    {NUMBER("postgres.max_lag", DURATION, postgres_max_lag_ms, "0s", 0, WEEK), .default_words = "0s (any)",
     .help = "how far a replica may be behind; further, and its commands are tried again later (database-lagging)"},
    {TEXT("postgres.group_view", postgres_group_view, "export_group", uex_check_view, VIEW_NAME), .sql_name = true,
     .help = "the view that lists the groups"},
    {TEXT("postgres.user_view", postgres_user_view, "export_user", uex_check_view, VIEW_NAME), .sql_name = true,
     .help = "the view that lists the users"},

    {TEXT("redis.url", redis_url, "", NULL, "redis[s]://[[user]:password@]host:port[/db]"), SECRET, .is_location = true,
     .default_words = "no cache", .help = "cache of group configurations; exports work without it"},
    {NUMBER("redis.ttl", DURATION, redis_ttl_ms, "300s", SECOND, WEEK), .help = "how long the cache keeps a group"},

    {TEXT("storage.url", storage_url, "", NULL, "s3://bucket[/prefix] or file:///dir"), MAY_BE_EMPTY,
     .help = "where exports are stored"},

    {TEXT("s3.endpoint", s3_endpoint, "", uex_check_endpoint, "http[s]://host[:port]"), MAY_BE_EMPTY,
     .default_words = "AWS, in s3.region", .help = "the S3 service"},
    {TEXT("s3.region", s3_region, "us-east-1", uex_check_region, "1 to 64 of a-z A-Z 0-9 . _ -"),
     .help = "the region, for signing requests"},
    {TEXT("s3.access_key_id", s3_access_key_id, "", NULL, "text"), SECRET, .help = "access key id"},
    {TEXT("s3.secret_access_key", s3_secret_access_key, "", NULL, "text"), SECRET, .free_text = true,
     .help = "secret access key"},
    {TEXT("s3.session_token", s3_session_token, "", NULL, "text"), SECRET,
     .help = "session token of temporary credentials"},
    {.key = "s3.path_style",
     .type = UEX_SETTING_BOOLEAN,
     FIELD(s3_path_style),
     .default_text = "true",
     .help = "put the bucket into the path, not into the host name"},
    {TEXT("s3.ca_file", s3_ca_file, "", NULL, "the path of a PEM file"), MAY_BE_EMPTY, .default_words = "the system's",
     .help = "CA certificates for the S3 service"},
    {NUMBER("s3.connect_timeout", DURATION, s3_connect_timeout_ms, "5s", 1, HOUR),
     .help = "how long connecting may take"},
    {NUMBER("s3.stall_timeout", DURATION, s3_stall_timeout_ms, "30s", 10, HOUR),
     .help = "how long a request may go without moving a byte; then it is aborted"},
    {TEXT("s3.sse", s3_sse, "", uex_check_sse, "AES256 or aws:kms"), MAY_BE_EMPTY,
     .help = "server-side encryption requested with every write"},
    {TEXT("s3.sse_kms_key_id", s3_sse_kms_key_id, "", NULL, "the id of a key; only with s3.sse aws:kms"), MAY_BE_EMPTY,
     .help = "the KMS key for s3.sse aws:kms"},
    {CHOICE("s3.checksum", s3_checksum, "off", "off|crc32|sha256|md5"),
     .help = "checksum sent with each object and part, as a bucket with Object Lock demands; `md5`: Content-MD5"},
    {TEXT("s3.storage_class", s3_storage_class, "", uex_check_s3_word, S3_WORD), MAY_BE_EMPTY,
     .default_words = "the bucket's", .help = "storage class of each object, such as STANDARD_IA"},
    {TEXT("s3.tagging", s3_tagging, "", uex_check_tagging, "key=value&key=value, URL-encoded, at most 10 tags"),
     MAY_BE_EMPTY, .help = "tags of each object"},
    {TEXT("s3.acl", s3_acl, "", uex_check_s3_word, S3_WORD), MAY_BE_EMPTY, .default_words = "the bucket's",
     .help = "canned ACL of each object, such as private or bucket-owner-full-control; with public-read everybody can "
             "read the users' data"},

    {.key = "export.domain_id",
     .type = UEX_SETTING_UUID,
     FIELD(export_domain_id),
     .default_text = "",
     MAY_BE_EMPTY,
     .help = "the domain of commands that carry none"},
    {CHOICE("export.format", export_format, "csv", "csv|jsonl|parquet"),
     .help = "the format of files: CSV or JSON Lines, both in gzip, or Parquet"},
    {CHOICE("export.parquet_codec", export_parquet_codec, "zstd", "zstd|gzip|none"),
     .help = "how the pages of a Parquet file are compressed"},
    {NUMBER("export.row_group", SIZE, export_row_group_bytes, "16MiB", 64 * 1024, 256 * MIB),
     .help = "the values that a row group of a Parquet file holds at most; it ends at 131,072 rows too"},
    {TEXT("export.columns", export_columns, UEX_DEFAULT_COLUMNS, NULL,
          "name[=view_column],… or *, 200 columns at most"),
     .default_words = "the 20 columns of a user",
     .help = "the columns of an export, in the order of the file; `*`: all of the user view but group_id and "
             "export.pending_column"},
    {TEXT("export.list_column", export_list_column, UEX_DEFAULT_LIST_COLUMN, NULL, "a name of export.columns"),
     .help = "the column that a list of usernames holds"},
    {TEXT("export.row_key", export_row_key, "", NULL, "a name of export.columns"), MAY_BE_EMPTY,
     .default_words = "export.list_column", .help = "the column that tells rows apart"},
    {TEXT("export.pending_column", export_pending_column, UEX_DEFAULT_PENDING_COLUMN, NULL,
          "a column of the user view"),
     MAY_BE_EMPTY, .help = "only rows where this boolean column is false are exported; empty: all rows"},
    {TEXT("export.file_types", export_file_types, UEX_DEFAULT_FILE_TYPES, uex_check_group_types,
          "type,…: 1 to 63 bytes each, without \" and \\"),
     MAY_BE_EMPTY, .help = "the values of group_type whose groups become a file; empty: none"},
    {TEXT("export.list_types", export_list_types, UEX_DEFAULT_LIST_TYPES, uex_check_group_types,
          "type,…: 1 to 63 bytes each, without \" and \\"),
     MAY_BE_EMPTY, .help = "the values of group_type whose groups become a list; empty: none"},
    {TEXT("export.version", export_version, UEX_DEFAULT_VERSION, uex_check_version, "1 to 32 of a-z A-Z 0-9 . _ + -"),
     .help = "the version of the layout that readers see: version field, header export-version, metadata"},
    {NUMBER("export.lanes", INTEGER, export_lanes, "", 1, 256), .work_out = work_out_lanes,
     /* A worker thread mostly waits for the database or the store: two of them keep a CPU busy. */
     .default_words = "2 for each CPU that affinity and cgroup allow, 2 to 64",
     .help = "groups exported at the same time by one worker"},
    {NUMBER("export.readers", INTEGER, export_readers, "1", 1, 32),
     .help = "connections that read one large group in parallel, from one snapshot; needs export.key_column"},
    {TEXT("export.key_column", export_key_column, "", uex_check_sql_name,
          "the name of a column, quoted as in SQL where it has to be"),
     MAY_BE_EMPTY, .sql_name = true,
     .help = "the column that divides a large group among export.readers; without it one connection reads"},
    {NUMBER("export.batch_rows", INTEGER, export_batch_rows, "1000", 1, 10000000),
     .help = "rows per batch, the unit of progress and of batch metrics"},
    {NUMBER("export.max_row", SIZE, export_max_row_bytes, "64MiB", 1024, 1024 * MIB),
     .help = "longest row; a longer one fails its group with database-data"},
    {NUMBER("export.compression_level", SMALL, export_compression_level, "1", 1, 9),
     .help = "gzip level: 1 is fastest, 9 is smallest"},
    {CHOICE("export.version_field", export_version_field, "column", "column|comment|none"),
     .help = "`column`: last column exportVersion; `comment`: first line `# ExportVersion: ` and export.version"},
    {TEXT("export.mask", export_mask, "", NULL, "column:action,… with the actions null, redact, hash, year"),
     MAY_BE_EMPTY,
     .help = "`null`; `redact` (text: `***`); `hash` (text: HMAC-SHA-256 with export.mask_key, hex); `year` (dates)"},
    {TEXT("export.mask_key", export_mask_key, "", NULL, "text"), SECRET, .free_text = true, .any_text = true,
     .help = "the key of the mask action `hash`"},
    {CHOICE("export.formula_guard", export_formula_guard, "off", "off|prefix|reject"),
     .help =
         "fields that a spreadsheet would run as formulas: `prefix` puts ' before them, `reject` fails their group"},
    {.key = "export.announce_empty",
     .type = UEX_SETTING_BOOLEAN,
     FIELD(export_announce_empty),
     .default_text = "false",
     .help = "also announce a group that is empty, inactive or unknown: an empty list, so that readers drop what they "
             "still have"},
    {TEXT("export.work_dir", export_work_dir, "", uex_check_absolute_path, "an absolute path"),
     .work_out = work_out_dir,
     .default_words = "$TMPDIR/users-export, or users-export-<uid> there if that is another user's",
     .help =
         "directory for long lists of usernames, in files without a name; if the user owns it, group and others lose "
         "the right to write"},

    {NUMBER("retry.delays", DELAYS, retry_delays_ms, "30s,5m,30m", 1, WEEK),
     .help = "delay of each retry topic; retry topics beyond the list are still read"},
    {NUMBER("retry.crashes", INTEGER, retry_crashes, "5", 1, 1000),
     .help = "how often a command's worker may crash before the command becomes a dead letter"},
    {NUMBER("retry.attempts", INTEGER, retry_attempts, "3", 0, 20),
     .help = "retries of one step inside an attempt, after 100 ms, 300 ms, 900 ms, …"},

    {NUMBER("producer.rate", INTEGER, producer_rate, "0", 0, 1000000), .default_words = "0 (off)",
     .help = "most outcomes per second; a list in parts counts as one"},
    {NUMBER("commit.interval", DURATION, commit_interval_ms, "100ms", 0, 60 * SECOND),
     .help = "how long outcomes are collected into one transaction"},
    {NUMBER("commit.max_list", SIZE, commit_max_list_bytes, "32MiB", 1024, 1024 * MIB),
     .help = "longest list of usernames; a longer one fails with result-refused"},

    {TEXT("http.listen", http_listen, "0.0.0.0:9464", uex_check_listen, "host:port or [v6]:port"), MAY_BE_EMPTY,
     .help = "address of /metrics, /livez and /readyz; empty: off"},
    {NUMBER("metrics.max_groups", INTEGER, metrics_max_groups, "200", 0, 1000000),
     .help = "most groupId labels; other groups share groupId=\"_other\""},
    {CHOICE("log.level", log_level, "info", "debug|info|warn|error"), .help = "lowest level that is logged"},
    {CHOICE("log.format", log_format, "json", "json|text"),
     .help = "format of log lines on stderr: JSON, or text for people"},

    {TEXT("schedule.at", schedule_at, "23:20", uex_check_clock_time, "a time of day, HH:MM"),
     .help = "when the scheduler is run; a run is named by the date of the latest such time"},
    {TEXT("schedule.timezone", schedule_timezone, "Asia/Kolkata", uex_timezone_exists,
          "a time zone that this system knows (IANA name; Debian package tzdata)"),
     .help = "the time zone of schedule.at"},
    {TEXT("schedule.lag_group", schedule_lag_group, "", uex_check_kafka_group, "a consumer group, at most 200 bytes"),
     MAY_BE_EMPTY, .default_words = "off",
     .help = "the scheduler waits while this consumer group lags by more than schedule.lag_max on topics.result"},
    {NUMBER("schedule.lag_max", INTEGER, schedule_lag_max, "0", 0, INT64_C(1000000000000)), .default_words = "off",
     .help = "most records of lag; needed with schedule.lag_group"},
    {NUMBER("schedule.lag_wait", DURATION, schedule_lag_wait_ms, "0", 0, WEEK), .default_words = "off",
     .help = "how long the scheduler waits, before it exits 1; needed with schedule.lag_group"},
    {NUMBER("schedule.wait", DURATION, schedule_wait_ms, "0s", 0, WEEK), .default_words = "off",
     .help =
         "how long after a run's start the scheduler stays until every group has ended; then it writes the run's end "
         "and exits 0, 1 (dead letters) or 4 (the time is over); a later start stays for startup.timeout at least"},
    {.key = "schedule.manifest",
     .type = UEX_SETTING_BOOLEAN,
     FIELD(schedule_manifest),
     .default_text = "false",
     .help = "before the end of a run an object below storage.url lists what became of each group; needs topics.run"},
    {.key = "schedule.report",
     .type = UEX_SETTING_BOOLEAN,
     FIELD(schedule_report),
     .default_text = "false",
     .help = "after the end of a run its page (exportctl report) is put beside the manifest; needs schedule.wait"},

    {NUMBER("startup.timeout", DURATION, startup_timeout_ms, "60s", 1, HOUR),
     .help = "how long a program waits for its dependencies at start, before it exits 3"},
    {NUMBER("shutdown.timeout", DURATION, shutdown_timeout_ms, "25s", 0, HOUR),
     .help = "how long running exports may go on after SIGTERM; the rest go to the partition's next owner"},
};

const size_t uex_setting_count = sizeof uex_settings / sizeof uex_settings[0];

const struct uex_setting *uex_setting_find(const char *key)
{
    for (size_t i = 0; i < uex_setting_count; i++) {
        if (strcmp(uex_settings[i].key, key) == 0)
            return &uex_settings[i];
    }
    return NULL;
}
