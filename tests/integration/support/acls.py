# SPDX-License-Identifier: Apache-2.0
"""Rights taken away from the programs, for one test alone: its topics and groups have names of their own."""
import contextlib
import time

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType)


@contextlib.contextmanager
def denied(broker, kind, name, operation):
    """Everything but this operation is allowed on the topic, or on what begins with the name (GROUP, TRANSACTIONAL_ID)."""
    pattern = ResourcePatternType.LITERAL if kind == "TOPIC" else ResourcePatternType.PREFIXED
    what = (ResourceType[kind], name, pattern)
    rules = [AclBinding(*what, "User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.ALLOW),
             AclBinding(*what, "User:ANONYMOUS", "*", AclOperation[operation], AclPermissionType.DENY)]
    for future in broker.admin.create_acls(rules).values():
        future.result(timeout=20)
    time.sleep(0.5)  # the authorizer hears of it by the metadata log
    try:
        yield
    finally:
        everything = AclBindingFilter(*what, None, None, AclOperation.ANY, AclPermissionType.ANY)
        for future in broker.admin.delete_acls([everything]).values():
            future.result(timeout=20)
        time.sleep(0.2)
