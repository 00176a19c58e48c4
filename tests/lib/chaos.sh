# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the short run of tests/chaos, about five minutes of faults; each cycle counts as a test. The
# whole run and the mutants are commands of their own, see tests/chaos/README.md.

UEX_CHAOS_LIMIT=1200 # seconds; the run itself stops beginning cycles after 270 s
UEX_CHAOS_SETTLE=180 # seconds from healing to quiet: a busy machine is no violation

part_chaos() {
    local rc=0 results="$RUN_DIR/chaos.jsonl" logs="$RUN_DIR/chaos" counts passed failed
    build_preset release "$RUN_DIR/build-release.log" || return 1
    USERS_EXPORT_BIN="$PWD/build/release/bin" timeout --foreground -s INT -k 60 "$UEX_CHAOS_LIMIT" \
        tests/chaos/run --short --keep-going --settle "$UEX_CHAOS_SETTLE" --results "$results" --folder "$logs" || rc=$?
    [ -s "$results" ] || return 1
    counts=$(
        python3 - "$results" <<'PY'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    cycles = {c["cycle"]: c for c in map(json.loads, file)}.values()
done = [c for c in cycles if not c["skipped"]]
bad = sum(1 for c in done if c["lost"] or c["duplicated"] or c["false"])
print(len(done) - bad, bad)
PY
    ) || return 1
    read -r passed failed <<<"$counts"
    count_passed "$passed"
    count_failed "$failed"
    [ "$rc" = 0 ]
}
