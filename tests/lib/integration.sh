# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the programs as they are delivered, on private services, seen by clients in Python.
# The tests get the settings of `deploy/lib/services env`, and USERS_EXPORT_BIN, the folder of the programs.

UEX_INTEGRATION_LIMIT=2100 # seconds without the slow tests; CI as a whole has 45 minutes
UEX_PROCESSES=2            # of pytest, each with services of its own; most tests wait most of the time
UEX_SLOW_LIMIT=5400

# Each set of requirements has an environment of its own, so that a run does not change another's.
integration_venv() {
    local sum
    sum=$( (python3 --version && cat tests/integration/requirements.txt) | sha256sum | cut -c1-12)
    printf '%s/tests-venv-%s\n' "$UEX_CACHE" "$sum"
}

# Not compiled beforehand: most of the 1.1 GB (Spark, Polars, Arrow) is for one test file.
install_venv() {
    python3 -m venv --clear "$1" &&
        "$1/bin/pip" install --no-compile --disable-pip-version-check -r tests/integration/requirements.txt &&
        touch "$1/.complete"
}

prepare_venv() {
    [ -e "$1/.complete" ] || run_logged "Python packages of the integration tests" "$UEX_CACHE/log/tests-venv.log" install_venv "$1"
}

# From pytest's own report: tests, failures and errors, skipped.
count_pytest() {
    local counts
    counts=$(python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as tree
total = failed = skipped = 0
for suite in tree.parse(sys.argv[1]).getroot().iter("testsuite"):
    total += int(suite.get("tests"))
    failed += int(suite.get("failures")) + int(suite.get("errors"))
    skipped += int(suite.get("skipped"))
print(total - failed - skipped, failed, skipped)
PY
    ) || return 1
    local passed failed skipped
    read -r passed failed skipped <<<"$counts"
    count_passed "$passed"
    count_failed "$failed"
    [ "$skipped" = 0 ] || say "skipped: $skipped (neither passed nor failed)"
}

part_integration() {
    local venv rc=0 select=(-m "not slow") report="$RUN_DIR/integration.xml" limit=$UEX_INTEGRATION_LIMIT
    local spread=(-n "$UEX_PROCESSES" --dist loadfile)
    build_preset release "$RUN_DIR/build-release.log" || return 1
    packages_install run tests formats || return 1
    venv=$(integration_venv)
    with_lock tests-venv prepare_venv "$venv" || return 1
    start_services || return 1
    if [ -n "$WITH_SLOW" ]; then
        select=()
        limit=$UEX_SLOW_LIMIT
    fi
    if [ ${#NAMES[@]} != 0 ]; then
        select=(-k "$(printf ' or %s' "${NAMES[@]}" | cut -c5-)")
        spread=()
    fi
    # SIGINT lets pytest end its fixtures, and so the programs that they started.
    timeout --foreground -s INT -k 30 "$limit" \
        env "${SERVICE_SETTINGS[@]}" USERS_EXPORT_BIN="$PWD/build/release/bin" "$venv/bin/python" -m pytest tests/integration -v --no-header --tb=short --durations=10 -p no:cacheprovider \
        --basetemp="$RUN_DIR/pytest" --junitxml="$report" "${spread[@]}" "${select[@]}" || rc=$?
    [ -e "$report" ] && count_pytest "$report" || return 1
    [ "$rc" = 0 ]
}
