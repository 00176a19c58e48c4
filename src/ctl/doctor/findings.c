/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of doctor. */
#include "ctl/doctor/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define CLOCK_WARN_MS 5000
#define CLOCK_FAIL_MS (5 * 60 * 1000)
#define TEXT_SIZE 2048 /* room for the names of five groups */

static const char *const result_texts[] = {
    [UEX_DOCTOR_OK] = "ok", [UEX_DOCTOR_WARN] = "warn", [UEX_DOCTOR_FAIL] = "fail", [UEX_DOCTOR_SKIP] = "skip"};
static const char *const result_colours[] = {
    [UEX_DOCTOR_OK] = "32", [UEX_DOCTOR_WARN] = "33", [UEX_DOCTOR_FAIL] = "31", [UEX_DOCTOR_SKIP] = "2"};

static void add_line(struct uex_doctor *doctor, enum uex_doctor_result result, const char *dependency,
                     const char *check, const char *text, const char *fix)
{
    bool coloured = uex_screen()->is_coloured;
    struct uex_buffer *out = &doctor->text;

    uex_buffer_append_format(out, "%s%s%s%-4s%s  %-8s  %-18s  ", coloured ? "\033[" : "",
                             coloured ? result_colours[result] : "", coloured ? "m" : "", result_texts[result],
                             coloured ? "\033[0m" : "", dependency, check);
    uex_output_append_clean(out, text);
    uex_buffer_append_text(out, "\n");
    if (fix != NULL) {
        uex_buffer_append_text(out, "      fix: ");
        uex_output_append_clean(out, fix);
        uex_buffer_append_text(out, "\n");
    }
}

static void add_json(struct uex_doctor *doctor, enum uex_doctor_result result, const char *dependency,
                     const char *check, const char *text, const char *fix)
{
    struct uex_buffer *out = &doctor->json;

    uex_buffer_append_text(out, doctor->row_count == 0 ? "\n  {\"dependency\": " : ",\n  {\"dependency\": ");
    uex_buffer_append_json(out, dependency);
    uex_buffer_append_text(out, ", \"check\": ");
    uex_buffer_append_json(out, check);
    uex_buffer_append_text(out, ", \"result\": ");
    uex_buffer_append_json(out, result_texts[result]);
    uex_buffer_append_text(out, ", \"detail\": ");
    uex_buffer_append_json(out, text);
    uex_buffer_append_text(out, ", \"mend\": ");
    uex_buffer_append_json(out, fix);
    uex_buffer_append_text(out, "}");
}

void uex_doctor_report(struct uex_doctor *doctor, const char *dependency, const char *check,
                       enum uex_doctor_result result, const char *fix, const char *format, ...)
{
    va_list arguments;
    char text[TEXT_SIZE];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    add_json(doctor, result, dependency, check, text, fix);
    add_line(doctor, result, dependency, check, text, fix);
    doctor->row_count++;
    doctor->fail_count += result == UEX_DOCTOR_FAIL;
    doctor->warn_count += result == UEX_DOCTOR_WARN;
}

/* What usually fixes it. */
static const char *usual_fix(enum uex_error err)
{
    switch (err) {
    case UEX_KAFKA_UNAVAILABLE:
        return "check kafka.bootstrap.servers, kafka.security.protocol, kafka.sasl.*, kafka.ssl.* and the network "
               "(firewall, DNS)";
    case UEX_DB_UNAVAILABLE:
    case UEX_DB_STALLED:
        return "check host and port in postgres.dsn, pg_hba.conf, and that the server runs";
    case UEX_DB_CONNECTIONS:
        return "raise the role's CONNECTION LIMIT, max_connections or the pooler's limits, or lower export.lanes; "
               "pg_stat_activity shows who holds connections";
    case UEX_DB_SILENT:
        return "check that the server answers (psql), and a pooler's pool_size; a paused PgBouncer needs RESUME";
    case UEX_DB_AUTH:
        return "check user and password of postgres.dsn";
    case UEX_DB_SCHEMA:
        return "compare the views postgres.group_view and postgres.user_view with deploy/sql/schema.sql";
    case UEX_DB_DENIED:
        return "GRANT SELECT on both views to the role, as in deploy/sql/roles.sql";
    case UEX_STORE_UNAVAILABLE:
        return "check s3.endpoint, s3.ca_file and the network (firewall, DNS, certificates)";
    case UEX_STORE_AUTH:
        return "check s3.access_key_id, s3.secret_access_key, s3.session_token and s3.region, and this machine's clock";
    case UEX_STORE_DENIED:
        return "the policy of these credentials needs s3:PutObject, s3:GetObject, s3:ListBucket, "
               "s3:AbortMultipartUpload and s3:ListBucketMultipartUploads on the bucket and the prefix";
    case UEX_STORE_REFUSED:
        return "workers cannot export to this store: the policy needs s3:PutObject, s3:GetObject, s3:ListBucket and "
               "s3:AbortMultipartUpload on the bucket and the prefix, and the server must support If-None-Match: * and "
               "multipart uploads";
    case UEX_STORE_BUCKET:
        return "create the bucket or directory of storage.url, or correct its name; for a bucket in another region set "
               "s3.region and s3.endpoint";
    case UEX_CONFIG:
        return "exportctl config show prints every setting and where it was set";
    default:
        return NULL;
    }
}

void uex_doctor_fail(struct uex_doctor *doctor, const char *dependency, const char *check, enum uex_error err,
                     const struct uex_fault *fault, const char *fix)
{
    if (uex_exit_of(err) == UEX_EXIT_UNREACHABLE)
        doctor->unreachable = true;
    uex_doctor_report(doctor, dependency, check, UEX_DOCTOR_FAIL, fix != NULL ? fix : usual_fix(err), "%s (%s)%s%s",
                      fault->text[0] == 0 ? uex_error_sentence(err) : fault->text, uex_error_code(err),
                      doctor->where.size_bytes == 0 ? "" : "; asked: ", uex_buffer_text(&doctor->where));
}

void uex_doctor_clock(struct uex_doctor *doctor, const char *dependency, const char *whose, int64_t skew_ms,
                      int64_t precision_ms)
{
    int64_t size_ms = skew_ms < 0 ? -skew_ms : skew_ms;
    int64_t sure_ms = size_ms > precision_ms ? size_ms - precision_ms : 0;
    enum uex_doctor_result result = sure_ms >= CLOCK_FAIL_MS   ? UEX_DOCTOR_FAIL
                                    : sure_ms >= CLOCK_WARN_MS ? UEX_DOCTOR_WARN
                                                               : UEX_DOCTOR_OK;

    uex_doctor_report(
        doctor, dependency, "clock", result,
        result == UEX_DOCTOR_OK ? NULL : "synchronize the clocks with NTP; workers start retries by their own clocks",
        "%s is %" PRId64 ".%01d s %s this machine's clock (to within %" PRId64 ".%01d s)", whose, size_ms / 1000,
        (int)(size_ms % 1000 / 100), skew_ms < 0 ? "behind" : "ahead of", precision_ms / 1000,
        (int)(precision_ms % 1000 / 100));
}
