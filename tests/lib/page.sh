# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the page of `exportctl report`, looked at in headless Chromium. Not what CI runs: Chromium and its
# libraries are more than all other packages of the tests together. What stands in the page is tested without it.

UEX_PAGES=(good failed running empty hostile large)

make_pages() {
    local name
    mkdir -p "$RUN_DIR/page"
    for name in "${UEX_PAGES[@]}"; do build/debug/tests/unit/report_samples "$name" >"$RUN_DIR/page/$name.html" || return 1; done
}

# A look that finds nothing in a page that scrolls sideways, is faint, asks for a file and runs something would be none.
look_bites() {
    local found
    sed -e 's/overflow-wrap:anywhere/overflow-wrap:normal/g' -e 's/--quiet:#[0-9a-f]*/--quiet:#888/g' \
        -e "s/default-src 'none'; //" -e 's,</main>,<img src="missing.png" alt=""><script>console.error(1)</script></main>,' \
        "$RUN_DIR/page/hostile.html" >"$RUN_DIR/page/broken.html"
    if found=$(tests/page/look "$RUN_DIR/page/broken.html"); then return 1; fi
    printf '%s\n' "$found"
    grep -q 'too wide' <<<"$found" && grep -q 'too faint' <<<"$found" && grep -q '2 requests' <<<"$found" && grep -q 'something to run' <<<"$found"
}

part_page() {
    local name
    packages_install build page || return 1
    build_preset debug "$RUN_DIR/build-debug.log" report_samples || return 1
    check "pages of made-up runs" make_pages || return 0
    for name in "${UEX_PAGES[@]}"; do
        check "$name: console, requests, width, contrast, dark, print" tests/page/look "$RUN_DIR/page/$name.html"
    done
    check "this look finds what is wrong with a page" look_bites
}
