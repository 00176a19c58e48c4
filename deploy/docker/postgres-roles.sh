#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run once by the postgres image, which sources or runs what stands in its folder: the role of the programs.
set -eu
psql -X -q -v ON_ERROR_STOP=1 -v worker_password="$WORKER_PASSWORD" -U postgres -d users_export -f /sql/roles.sql
