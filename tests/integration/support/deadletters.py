# SPDX-License-Identifier: Apache-2.0
"""What the contract says of a dead letter, checked byte for byte."""
from .checks import int32, int64

OWN = {"retry_topic-attempts", "retry_topic-original-timestamp", "retry_topic-backoff-timestamp",
       "kafka_dlt-original-topic", "kafka_dlt-original-partition", "kafka_dlt-original-offset",
       "kafka_dlt-original-timestamp", "kafka_dlt-exception-message", "export-error-code", "export-error",
       "export-attempts", "export-command-id"}


def check_dead_letter(record, sent, code, attempts=1):
    """`sent` is the record as it stood in the command topic (after a move: there)."""
    assert record.key == sent.key
    assert record.value == sent.value
    headers = record.headers
    assert headers["kafka_dlt-original-topic"] == sent.topic.encode()
    assert headers["kafka_dlt-original-partition"] == sent.partition.to_bytes(4, "big")
    assert headers["kafka_dlt-original-offset"] == sent.offset.to_bytes(8, "big")
    assert headers["kafka_dlt-original-timestamp"] == sent.timestamp_ms.to_bytes(8, "big")
    assert headers["export-error-code"] == code.encode()
    assert headers["export-error"].decode()
    assert headers["kafka_dlt-exception-message"].decode()
    assert headers["export-attempts"] == str(attempts).encode()
    if "retry_topic-attempts" in headers:
        assert len(headers["retry_topic-attempts"]) == 4 and int32(headers["retry_topic-attempts"]) >= 1
    for name in ("retry_topic-original-timestamp", "retry_topic-backoff-timestamp"):
        if name in headers:
            assert len(headers[name]) == 8 and int64(headers[name]) > 1_500_000_000_000
    own = [(name, value) for name, value in record.header_list if name not in OWN]
    assert own == [header for header in sent.header_list if header[0] not in OWN]
    return headers
