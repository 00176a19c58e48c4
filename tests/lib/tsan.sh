# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: workers built for ThreadSanitizer under load, with rebalances, retries and deaths around them. The
# sanitizer writes what it finds to files beside the log, which has to stay JSON; one such file is a failure.

UEX_TSAN_LIMIT=1500 # seconds
UEX_TSAN_TESTS=(tests/integration/test_three_workers.py tests/integration/test_rolling.py tests/integration/test_retry.py)

tsan_found_nothing() {
    local report found=''
    for report in "$1".*; do
        [ -e "$report" ] || continue
        found=yes
        printf '%s:\n' "$report"
        head -n 60 "$report"
    done
    [ -z "$found" ]
}

part_tsan() {
    local venv rc=0 reports="$RUN_DIR/tsan-report" junit="$RUN_DIR/tsan.xml"
    build_preset tsan "$RUN_DIR/build-tsan.log" export-worker export-scheduler exportctl || return 1
    packages_install run tests || return 1
    venv=$(integration_venv)
    with_lock tests-venv prepare_venv "$venv" || return 1
    start_services || return 1
    timeout --foreground -s INT -k 30 "$UEX_TSAN_LIMIT" \
        env "${SERVICE_SETTINGS[@]}" USERS_EXPORT_BIN="$PWD/build/tsan/bin" \
        TSAN_OPTIONS="suppressions=$PWD/tests/tsan/suppressions:log_path=$reports:exitcode=66:second_deadlock_stack=1" \
        "$venv/bin/python" -m pytest "${UEX_TSAN_TESTS[@]}" -v --no-header --tb=short -p no:cacheprovider \
        --basetemp="$RUN_DIR/pytest-tsan" --junitxml="$junit" -o timeout=900 || rc=$?
    [ -e "$junit" ] && count_pytest "$junit" || return 1
    check "ThreadSanitizer has found nothing" tsan_found_nothing "$reports"
    [ "$rc" = 0 ]
}
