# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: parts, their counts and times, the closing lines.

PASSED=0 # of the part that runs
FAILED=0
TOTAL_PASSED=0
TOTAL_FAILED=0
REPORT=()

count_passed() { PASSED=$((PASSED + $1)); }
count_failed() { FAILED=$((FAILED + $1)); }

indented() { sed 's/^/    | /'; }

# check WHAT COMMAND…: one test; what the command said stands beside a failure. `set -e` does not hold inside of COMMAND.
check() {
    local what=$1 log="$RUN_DIR/check.log"
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        count_passed 1
        printf 'ok      %s\n' "$what"
        return
    fi
    count_failed 1
    printf 'FAILED  %s\n' "$what"
    tail -n 60 "$log" | indented
}

# run_part NAME: a part that breaks off without having counted a failure has failed all the same.
run_part() {
    local start=$SECONDS
    PASSED=0
    FAILED=0
    printf '\n=== %s\n' "$1"
    if ! "part_$1" && [ "$FAILED" = 0 ]; then count_failed 1; fi
    if [ $((PASSED + FAILED)) = 0 ]; then
        say "$1: no test ran"
        count_failed 1
    fi
    TOTAL_PASSED=$((TOTAL_PASSED + PASSED))
    TOTAL_FAILED=$((TOTAL_FAILED + FAILED))
    REPORT+=("$(printf '%-12s %6d passed %4d failed %6d s' "$1" "$PASSED" "$FAILED" $((SECONDS - start)))")
}

print_report() {
    printf '\n'
    printf '%s\n' "${REPORT[@]}"
    printf '%d passed, %d failed\n' "$TOTAL_PASSED" "$TOTAL_FAILED"
    [ "$TOTAL_FAILED" = 0 ]
}

# Services are stopped, whatever happened; after a failure the logs stay.
clean_up() {
    local rc=$?
    trap - EXIT INT TERM
    jobs -p | xargs -r kill 2>/dev/null || true
    if [ -e "$RUN_DIR/services/ports" ]; then
        deploy/lib/services stop --run-dir "$RUN_DIR/services" || true
    fi
    if [ "$rc" = 1 ]; then
        say "logs are kept in $RUN_DIR"
    else
        rm -rf "$RUN_DIR"
    fi
    exit "$rc"
}
