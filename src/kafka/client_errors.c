/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/client_internal.h"

/* Codes with a meaning of their own here; all others are UEX_KAFKA. Source: librdkafka, rdkafka.h, and Apache Kafka,
 * protocol error codes. */
static const struct {
    rd_kafka_resp_err_t code;
    enum uex_error error;
} meanings[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, UEX_OK},
    {RD_KAFKA_RESP_ERR__TRANSPORT, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__RESOLVE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__WAIT_CACHE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__IN_PROGRESS, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR__RETRY, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, UEX_KAFKA_UNAVAILABLE},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, UEX_RESULT_REFUSED},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, UEX_RESULT_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, UEX_RESULT_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, UEX_RESULT_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, UEX_RESULT_REFUSED},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, UEX_KAFKA_TOPICS},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, UEX_KAFKA_TOPICS},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, UEX_KAFKA_TOPICS},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, UEX_KAFKA_TOPICS},
    {RD_KAFKA_RESP_ERR__DESTROY, UEX_CANCELLED},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, UEX_CONFIG},
    {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, UEX_CONFIG},
};

enum uex_error uex_kafka_error_of(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].code == code)
            return meanings[i].error;
    return UEX_KAFKA;
}

bool uex_kafka_refuses_record(rd_kafka_resp_err_t code)
{
    return uex_kafka_error_of(code) == UEX_RESULT_REFUSED;
}

enum uex_error uex_kafka_fail(struct uex_fault *fault, rd_kafka_resp_err_t code, const char *what)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return UEX_OK;
    return uex_fail(fault, uex_kafka_error_of(code), "%s: %s (%s)", what, rd_kafka_err2str(code),
                    rd_kafka_err2name(code));
}

enum uex_error uex_kafka_fail_error(struct uex_fault *fault, rd_kafka_error_t *error, const char *what)
{
    enum uex_error err = UEX_OK;

    if (error == NULL)
        return UEX_OK;
    err = uex_fail(fault, uex_kafka_error_of(rd_kafka_error_code(error)), "%s: %s (%s)", what,
                   rd_kafka_error_string(error), rd_kafka_error_name(error));
    if (err == UEX_OK) /* never so: an error object has a code */
        err = UEX_KAFKA;
    rd_kafka_error_destroy(error);
    return err;
}
