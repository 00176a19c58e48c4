# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the private services of this run, started when the first part needs them.

SERVICE_SETTINGS=() # NAME=value, for `env`; empty until the services run

start_services() {
    local lines line
    [ ${#SERVICE_SETTINGS[@]} = 0 ] || return 0
    deploy/lib/services start --run-dir "$RUN_DIR/services" --owner $$ >/dev/null || return 1
    lines=$(deploy/lib/services env --run-dir "$RUN_DIR/services") || return 1
    while read -r line; do
        eval "line=$line" # the value is quoted for a shell
        SERVICE_SETTINGS+=("$line")
    done <<<"$lines"
}
