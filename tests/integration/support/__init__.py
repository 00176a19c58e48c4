# SPDX-License-Identifier: Apache-2.0
"""Independent clients of the programs' outside: Kafka, S3, PostgreSQL, CSV. Nothing here is shared with the programs."""
