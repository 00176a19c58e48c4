# SPDX-License-Identifier: Apache-2.0
"""Kafka, PostgreSQL with a replica, S3 and Redis as production has them: TLS, users, least rights."""
