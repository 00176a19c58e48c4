# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the table of versions. A row that was skipped counts as failed: it is open.

part_compat() {
    local log="$RUN_DIR/compat.log" closing passed
    tests/compat/run "${NAMES[@]}" 2>&1 | tee "$log" || true
    closing=$(grep -E '^[0-9]+ rows passed' "$log" | tail -n 1) || return 1
    passed=${closing%% *}
    count_passed "$passed"
    count_failed $(($(grep -cE '^(passed|FAILED|skipped) ' "$log") - passed))
}
