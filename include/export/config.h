/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/config.h — every setting of the three programs, from one table (src/config/table.c).
 *
 * Order: flag --section.key=value, environment EXPORT_SECTION_KEY (or EXPORT_SECTION_KEY_FILE for secrets: the file's
 * content without its last newline), file (--config FILE or EXPORT_CONFIG, INI), default. The table gives name, type,
 * default, range, help text and whether it is a secret; --help, `exportctl config show` and all checks come from it.
 */
#ifndef EXPORT_CONFIG_H
#define EXPORT_CONFIG_H

#include "export/buffer.h"
#include "export/log.h"

#define UEX_RETRY_TIERS_MAX 16
#define UEX_MASKS_MAX 20

enum uex_version_field { UEX_VERSION_COLUMN, UEX_VERSION_COMMENT, UEX_VERSION_NONE };
enum uex_formula_guard { UEX_GUARD_OFF, UEX_GUARD_PREFIX, UEX_GUARD_REJECT };
enum uex_mask_action { UEX_MASK_NONE, UEX_MASK_NULL, UEX_MASK_REDACT, UEX_MASK_HASH, UEX_MASK_YEAR };
/* The defaults of settings that say which columns an export has. */
#define UEX_DEFAULT_COLUMNS                                                                                            \
    "username,groupId=group_id,displayName=display_name,gender,dateOfBirth=date_of_birth,location,intent,bio,smokes,"  \
    "drinks,wantsKids=wants_kids,education,religion,occupation,preferredGenders=preferred_genders,"                    \
    "preferredMinAge=preferred_min_age,preferredMaxAge=preferred_max_age,relationshipType=relationship_type,"          \
    "openToLongDistance=open_to_long_distance,readyForMatching=ready_for_matching"
#define UEX_DEFAULT_LIST_COLUMN "username"
#define UEX_DEFAULT_FILE_TYPES "COST_BASED"
#define UEX_DEFAULT_LIST_TYPES "NON_COST_BASED"
#define UEX_DEFAULT_PENDING_COLUMN "sent_to_matching_service"
#define UEX_DEFAULT_VERSION "1.0"

/* Sent with each object and part; UEX_S3_CHECKSUM_MD5 as Content-MD5. */
enum uex_s3_checksum { UEX_S3_CHECKSUM_OFF, UEX_S3_CHECKSUM_CRC32, UEX_S3_CHECKSUM_SHA256, UEX_S3_CHECKSUM_MD5 };
enum uex_format { UEX_FORMAT_CSV, UEX_FORMAT_JSONL, UEX_FORMAT_PARQUET };
enum uex_codec { UEX_CODEC_ZSTD, UEX_CODEC_GZIP, UEX_CODEC_NONE };
enum uex_profile { UEX_PROFILE_PRODUCTION, UEX_PROFILE_TEST };

/* A librdkafka property, without the prefix "kafka.". */
struct uex_kafka_property {
    char *name;
    char *value;
    bool secret;        /* never shown */
    const char *source; /* "default", "file", "environment" or "flag"; static; NULL where a test made it by hand */
};

struct uex_config_origin; /* what was given for a setting and where; src/config/load.h */

/* Who issues temporary credentials for the store: the standard variables of AWS's tools, as the environment has them.
 * NULL: not set. Used only where s3.access_key_id is not set. */
struct uex_config_aws {
    char *role_arn, *token_file; /* AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE; both or none */
    char *session_name;          /* AWS_ROLE_SESSION_NAME */
    char *sts_url;               /* AWS_ENDPOINT_URL_STS */
    char *container_url;         /* AWS_CONTAINER_CREDENTIALS_FULL_URI, or made of …_RELATIVE_URI */
    char *container_token;       /* AWS_CONTAINER_AUTHORIZATION_TOKEN; secret */
    char *container_token_file;  /* AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE */
    char *ca_file;               /* AWS_CA_BUNDLE; for the issuer only */
};

/* The settings, all checked. Strings are owned by the struct; "" means not set. */
struct uex_config {
    struct uex_kafka_property *kafka; /* passed through; group.id always among them */
    size_t kafka_count;
    char *kafka_group_id;
    char *topics_command, *topics_retry, *topics_state, *topics_progress, *topics_result, *topics_dlq, *topics_run;
    char *postgres_dsn; /* secret: may hold a password */
    int64_t postgres_stall_timeout_ms;
    int64_t postgres_max_lag_ms; /* of a replica; 0: any */
    char *postgres_group_view, *postgres_user_view;
    char *redis_url; /* secret: may hold a password */
    int64_t redis_ttl_ms;
    char *storage_url;
    char *s3_endpoint, *s3_region, *s3_access_key_id, *s3_secret_access_key, *s3_session_token;
    bool s3_path_style;
    char *s3_ca_file;
    int64_t s3_connect_timeout_ms, s3_stall_timeout_ms;
    char *s3_sse, *s3_sse_kms_key_id;
    enum uex_s3_checksum s3_checksum;
    char *s3_storage_class, *s3_tagging, *s3_acl; /* as they go into a header */
    struct uex_config_aws aws;
    char *export_domain_id; /* lower case UUID or "" */
    int64_t export_lanes;   /* at least 1: the default is already worked out */
    int64_t export_readers;
    char *export_key_column;
    int64_t export_batch_rows;
    int64_t export_max_row_bytes; /* of the row's text; 0 only where a test made the struct: no bound */
    int export_compression_level;
    char *export_columns, *export_list_column, *export_row_key; /* as given; include/export/layout.h reads them */
    char *export_pending_column;                                /* "": all rows */
    char *export_file_types, *export_list_types;                /* as given; include/export/catalogue.h reads them */
    char *export_version;
    enum uex_format export_format;
    enum uex_codec export_parquet_codec;
    int64_t export_row_group_bytes; /* of values; 0 only where a test made the struct: the default */
    enum uex_version_field export_version_field;
    char *export_mask; /* as given; include/export/layout.h reads it */
    char *export_mask_key;
    enum uex_formula_guard export_formula_guard;
    bool export_announce_empty;
    char *export_work_dir; /* the default is already worked out from TMPDIR */
    int64_t retry_delays_ms[UEX_RETRY_TIERS_MAX];
    size_t retry_tier_count;
    int64_t retry_crashes, retry_attempts;
    int64_t producer_rate; /* outcomes per second; 0: off */
    int64_t commit_interval_ms;
    int64_t commit_max_list_bytes;
    char *http_listen;
    int64_t metrics_max_groups;
    enum uex_log_level log_level;
    enum uex_log_format log_format;
    char *schedule_at, *schedule_timezone;
    enum uex_profile profile;
    char *schedule_lag_group; /* "": the gate is off */
    int64_t schedule_lag_max, schedule_lag_wait_ms;
    int64_t schedule_wait_ms; /* 0: the scheduler does not wait for the run's end */
    bool schedule_manifest;   /* the end of a run has a manifest */
    bool schedule_report;     /* the page of a run is put beside it */
    int64_t startup_timeout_ms, shutdown_timeout_ms;
    struct uex_config_origin *origins; /* only for uex_config_show(); NULL in a struct that was not loaded */
};

/* How the librdkafka that is linked judges a property: UEX_OK; UEX_NOT_FOUND: there is no such property; UEX_CONFIG:
 * the value is not allowed, `fault` says what is. */
typedef enum uex_error (*uex_kafka_judge)(const char *name, const char *value, struct uex_fault *fault);

/* Let `judge` (src/kafka has one) check the properties that uex_config_load() reads, so that their mistakes are found
 * together with all others and core needs no librdkafka. Without it names are looked up in the list of
 * src/config/kafka.c and values are not checked. NULL takes it back. Main thread, before uex_config_load().
 */
void uex_config_judge_kafka(uex_kafka_judge judge);

/* Read all sources. `arguments` are the command line after the program's name; flags of settings
 * ("--section.key=value", "--section.key value", "--profile", "--config FILE") are taken out, the rest is left in
 * place, in order, and its count stored in `*argument_count`; what stands after "--" is not looked at. All mistakes are
 * collected, one line each, in `problems` (what key, where it was set, what is allowed), also those in values that a
 * later source replaces; returns UEX_CONFIG when there are any. Warnings (unknown EXPORT_ variables) go to `warnings`,
 * one line each. Neither ever holds a secret's value. `environment` is NULL-terminated as environ(7). The caller clears
 * `out` in any case. UEX_NO_MEMORY. Main thread, at start. */
UEX_MUST_CHECK enum uex_error uex_config_load(struct uex_config *out, int *argument_count, char **arguments,
                                              char *const *environment, struct uex_buffer *problems,
                                              struct uex_buffer *warnings);

/* Which settings a program cannot do without. */
enum uex_config_need {
    UEX_NEED_KAFKA = 1,    /* kafka.bootstrap.servers */
    UEX_NEED_POSTGRES = 2, /* postgres.dsn */
    UEX_NEED_STORAGE = 4,  /* storage.url; with s3:// credentials, or someone who issues them */
    UEX_NEED_DOMAIN = 8    /* export.domain_id */
};
/* Add a line for each needed setting that is missing. UEX_CONFIG if any. */
UEX_MUST_CHECK enum uex_error uex_config_require(const struct uex_config *config, unsigned needs,
                                                 struct uex_buffer *problems);

/* Does the environment name someone who issues temporary credentials for the store? */
bool uex_config_aws_given(const struct uex_config *config);

/* Wipes secrets, frees. Accepts a zeroed struct. */
void uex_config_clear(struct uex_config *config);

/* The settings part of --help: key, default, meaning, one per line, by section. */
void uex_config_help(struct uex_buffer *out);

/* Every setting with its value in force and where it was set ("default", "file", "environment", "flag"); secrets as
 * "(set)" or "(not set)", connection strings and URLs as uex_config_append_location() has them. As text lines `key =
 * value (source)` or as one JSON object
 * {"key": {"value": "…", "source": "…"}, …}. Only for a config that uex_config_load() filled. */
void uex_config_show(const struct uex_config *config, bool as_json, struct uex_buffer *out);

/* Append where a secret points, a connection string of libpq or a URL, with "***" in the place of its password and of
 * everything that is not known to be harmless. False, and nothing is appended: the text is not understood well enough
 * to say what of it is secret. */
UEX_MUST_CHECK bool uex_config_append_location(const char *text, struct uex_buffer *out);

/* A librdkafka property of the configuration by any of its names ("metadata.broker.list" finds "bootstrap.servers"),
 * NULL if not set. */
const char *uex_config_kafka(const struct uex_config *config, const char *property);

#define UEX_LISTEN_HOST_SIZE 256
/* Split "host:port" or "[v6]:port" (the brackets go). `host` has UEX_LISTEN_HOST_SIZE bytes. False for anything else.
 * Port 0 is any free one. */
UEX_MUST_CHECK bool uex_listen_split(const char *listen, char *host, uint16_t *port);
#endif
