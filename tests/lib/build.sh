# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: builds of the presets.

configure_and_build() {
    cmake --preset "$1" && cmake --build --preset "$1"
}

# build PRESET: into build/PRESET, by one process at a time.
build() {
    local lock rc=0
    packages_install build || return 1
    mkdir -p build
    exec {lock}>"build/.$1.lock"
    flock -w 1800 "$lock" || return 1
    run_logged "build: $1" "$RUN_DIR/build-$1.log" configure_and_build "$1" {lock}>&- || rc=1
    exec {lock}>&-
    return "$rc"
}
