# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the demo and tests/run: builds of the presets.

configure_and_build() {
    local preset=$1
    shift
    cd "$UEX_ROOT" && cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}
}

# build_preset PRESET LOG [TARGET…]: into build/PRESET, by one process at a time.
build_preset() {
    local preset=$1 log=$2 lock rc=0
    shift 2
    packages_install build || return 1
    mkdir -p "$UEX_ROOT/build"
    exec {lock}>"$UEX_ROOT/build/.$preset.lock"
    flock -w 1800 "$lock" || return 1
    run_logged "building (preset $preset)" "$log" configure_and_build "$preset" "$@" {lock}>&- || rc=1
    exec {lock}>&-
    return "$rc"
}
