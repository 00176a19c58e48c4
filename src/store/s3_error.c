/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_error.h"

static const struct {
    const char *code;
    enum uex_error error;
} CODES[] = {
    /* transient, on the server or on the way */
    {"SlowDown", UEX_STORE_UNAVAILABLE},
    {"SlowDownRead", UEX_STORE_UNAVAILABLE},  /* MinIO */
    {"SlowDownWrite", UEX_STORE_UNAVAILABLE}, /* MinIO */
    {"ServiceUnavailable", UEX_STORE_UNAVAILABLE},
    {"InternalError", UEX_STORE_UNAVAILABLE},
    {"RequestTimeout", UEX_STORE_UNAVAILABLE}, /* HTTP 400 */
    {"Throttling", UEX_STORE_UNAVAILABLE},
    {"ThrottlingException", UEX_STORE_UNAVAILABLE},
    {"RequestLimitExceeded", UEX_STORE_UNAVAILABLE},
    {"TooManyRequests", UEX_STORE_UNAVAILABLE},
    {"OperationAborted", UEX_STORE_UNAVAILABLE}, /* HTTP 409: the bucket is being created right now */
    {"TemporaryRedirect", UEX_STORE_UNAVAILABLE},
    {"BadDigest", UEX_STORE_UNAVAILABLE}, /* the next four: the body was damaged on its way */
    {"IncompleteBody", UEX_STORE_UNAVAILABLE},
    {"XAmzContentSHA256Mismatch", UEX_STORE_UNAVAILABLE},
    {"XAmzContentChecksumMismatch", UEX_STORE_UNAVAILABLE}, /* MinIO */
    /* authentication */
    {"InvalidAccessKeyId", UEX_STORE_AUTH},
    {"XAdminUserNotFound", UEX_STORE_AUTH}, /* versitygw, with HTTP 404 */
    {"SignatureDoesNotMatch", UEX_STORE_AUTH},
    {"ExpiredToken", UEX_STORE_AUTH},
    {"InvalidToken", UEX_STORE_AUTH},
    {"TokenRefreshRequired", UEX_STORE_AUTH},
    {"RequestTimeTooSkewed", UEX_STORE_AUTH},
    {"RequestExpired", UEX_STORE_AUTH},
    {"AuthorizationHeaderMalformed", UEX_STORE_AUTH}, /* mostly: signed for another region */
    {"AuthorizationQueryParametersError", UEX_STORE_AUTH},
    {"CredentialsNotSupported", UEX_STORE_AUTH},
    {"InvalidSecurity", UEX_STORE_AUTH},
    {"NotSignedUp", UEX_STORE_AUTH},
    {"AccountProblem", UEX_STORE_AUTH},
    /* rights */
    {"AccessDenied", UEX_STORE_DENIED},
    {"AllAccessDisabled", UEX_STORE_DENIED},
    {"KMS.AccessDeniedException", UEX_STORE_DENIED},
    /* the bucket */
    {"NoSuchBucket", UEX_STORE_BUCKET},
    {"InvalidBucketName", UEX_STORE_BUCKET},
    {"PermanentRedirect", UEX_STORE_BUCKET},
    {"IllegalLocationConstraintException", UEX_STORE_BUCKET},
    {"InvalidLocationConstraint", UEX_STORE_BUCKET},
    {"InvalidRegion", UEX_STORE_BUCKET}, /* MinIO */
    {"BucketAlreadyExists", UEX_STORE_BUCKET},
    /* space */
    {"XMinioStorageFull", UEX_STORE_FULL},
    {"XMinioAdminBucketQuotaExceeded", UEX_STORE_FULL},
    {"QuotaExceeded", UEX_STORE_FULL}, /* Ceph, versitygw */
    {"InsufficientStorage", UEX_STORE_FULL},
    {"InsufficientCapacity", UEX_STORE_FULL},
    /* the object */
    {"NoSuchKey", UEX_NOT_FOUND},
    {"PreconditionFailed", UEX_OBJECT_EXISTS},
    {"ConditionalRequestConflict", UEX_STORE_RACE},
    {"NoSuchUpload", UEX_STORE_RACE},
    {"NotImplemented", UEX_STORE_FAILED}, /* HTTP 501: no repetition fixes it */
};

static enum uex_error error_of_status(long status)
{
    switch (status) {
    case 301:
        return UEX_STORE_BUCKET;
    case 307:
    case 408:
    case 425:
    case 429:
        return UEX_STORE_UNAVAILABLE;
    case 401:
        return UEX_STORE_AUTH;
    case 403:
        return UEX_STORE_DENIED;
    case 404:
        return UEX_NOT_FOUND;
    case 409:
        return UEX_STORE_RACE;
    case 412:
        return UEX_OBJECT_EXISTS;
    case 501:
    case 505:
        return UEX_STORE_FAILED;
    case 507:
        return UEX_STORE_FULL;
    default:
        return status >= 500 && status <= 599 ? UEX_STORE_UNAVAILABLE : UEX_STORE_FAILED;
    }
}

bool uex_s3_is_refusal(enum uex_error error, long status)
{
    if (error == UEX_STORE_UNAVAILABLE) /* a redirection is repeated as well, for a bucket that was just created */
        return status >= 300 && status <= 399;
    return error == UEX_STORE_DENIED || error == UEX_STORE_FAILED;
}

enum uex_error uex_s3_error_of(long status, const char *code)
{
    if (status >= 200 && status <= 299 && code[0] == '\0')
        return UEX_OK;
    if (status == 507)
        return UEX_STORE_FULL;
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++)
        if (strcmp(CODES[i].code, code) == 0)
            return CODES[i].error;
    return error_of_status(status);
}
