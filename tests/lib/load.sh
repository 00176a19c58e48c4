# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the load profile at its smallest. At full size: tests/load/run --nightly, --soak.

part_load() {
    build_preset release "$RUN_DIR/build-release.log" || return 1
    check "a night of 300 groups: each announced once, with all its users" env USERS_EXPORT_BIN="$PWD/build/release/bin" \
        tests/load/run --quick --report "$RUN_DIR/load"
    check "a steady flow for a minute" env USERS_EXPORT_BIN="$PWD/build/release/bin" tests/load/run --soak --minutes 1 --report "$RUN_DIR/load"
    check "the pictures are well-formed" python3 -c 'import sys, xml.dom.minidom; [xml.dom.minidom.parse(name) for name in sys.argv[1:]]' "$RUN_DIR"/load/*.svg
}
