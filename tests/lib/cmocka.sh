# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: executables written with cmocka, counted by what cmocka prints.

UEX_TEST_TIMEOUT=300 # seconds for one executable

# Whether a test is among those that were asked for; no names: all are.
# shellcheck disable=SC2153
wanted() {
    [ ${#NAMES[@]} != 0 ] || return 0
    local name
    for name in "${NAMES[@]}"; do
        case $1 in *"$name"*) return 0 ;; esac
    done
    return 1
}

# run_executable EXECUTABLE LOG SETTING…: in the background; what is known afterwards stands in LOG and LOG.result
# ("exit-code seconds").
run_executable() {
    local executable=$1 log=$2 start=$SECONDS rc=0
    shift 2
    exec 2>/dev/null # the shell's own remark on a crash; the exit code tells it
    env "$@" timeout -k 10 "$UEX_TEST_TIMEOUT" "$executable" >"$log" 2>&1 </dev/null || rc=$?
    printf '%s %s\n' "$rc" $((SECONDS - start)) >"$log.result"
}

# cmocka prints "[       OK ] name" for each test, and "[  FAILED  ] N test(s), listed below:" for each group.
judge_executable() {
    local name=$1 log=$2 rc=1 seconds=0 passed failed skipped
    [ ! -e "$log.result" ] || read -r rc seconds <"$log.result"
    passed=$(grep -c '^\[       OK \]' "$log" || true)
    failed=$(awk '/^\[  FAILED  \] [0-9]+ test\(s\)/ { n += $4 } END { print n + 0 }' "$log")
    skipped=$(grep -c '^\[  SKIPPED \] [^0-9]' "$log" || true)
    if [ "$failed" = 0 ] && { [ "$rc" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
    count_passed "$passed"
    count_failed "$failed"
    if [ "$failed" = 0 ]; then
        printf 'ok      %-40s %4d tests %4d s%s\n' "$name" "$passed" "$seconds" \
            "$([ "$skipped" = 0 ] || printf '  (%d skipped)' "$skipped")"
        return
    fi
    printf 'FAILED  %-40s %4d of %d tests, exit code %d%s\n' "$name" "$failed" $((passed + failed)) "$rc" \
        "$([ "$rc" != 124 ] || printf ' (did not end within %d s)' "$UEX_TEST_TIMEOUT")"
    grep -v -e '^\[ RUN      \]' -e '^\[       OK \]' "$log" | tail -n 200 | indented
}

# run_cmocka PRESET KIND: all executables of build/PRESET/tests/KIND that have a source still, as many at a time as there
# are CPUs. Component tests find the private services in their environment.
run_cmocka() {
    local preset=$1 kind=$2 executable name names=() settings=() logs="$RUN_DIR/$1-$2"
    mkdir -p "$logs"
    if [ "$kind" = component ]; then
        start_services || return 1
        settings=("${SERVICE_SETTINGS[@]}")
    fi
    for executable in tests/"$kind"/*/*_test.c; do
        name=$(basename "$executable" .c)
        executable="build/$preset/tests/$kind/$name"
        if ! wanted "$name" || [ ! -x "$executable" ]; then continue; fi
        names+=("$name")
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
        run_executable "$executable" "$logs/$name.log" "${settings[@]}" &
    done
    wait
    for name in "${names[@]}"; do judge_executable "$name" "$logs/$name.log"; done
}

part_unit() { build_preset debug "$RUN_DIR/build-debug.log" && run_cmocka debug unit; }

part_component() { build_preset debug "$RUN_DIR/build-debug.log" && run_cmocka debug component; }

part_asan() {
    export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
    export UBSAN_OPTIONS=print_stacktrace=1
    local rc=0
    build_preset asan "$RUN_DIR/build-asan.log" && run_cmocka asan unit && run_cmocka asan component || rc=1
    unset ASAN_OPTIONS UBSAN_OPTIONS
    return "$rc"
}
