# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: checks of the text itself. Each counts as one test.

UEX_CLANG_FORMAT=14.0.6 # versions format differently, so it comes from PyPI
UEX_ASYNCAPI_PARSER=3.6.3
UEX_ASYNCAPI_AVRO=3.0.24

# What is in the tree or about to be: not what .gitignore names.
tree_files() { git ls-files -co --exclude-standard -- "$@" | while read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done; }

is_script() {
    case $1 in *.sh) return 0 ;; esac
    head -c 64 "$1" | head -n 1 | grep -qE '^#!.*\b(ba|da)?sh\b' 2>/dev/null
}

script_files() { tree_files | while read -r file; do if is_script "$file"; then printf '%s\n' "$file"; fi; done; }

lint_shell() { script_files | xargs -r shellcheck; }

lint_yaml() {
    tree_files '*.yml' '*.yaml' | { grep -v '/templates/' || true; } | xargs -r yamllint -s \
        -d '{extends: default, rules: {line-length: {max: 140}, document-start: disable, comments: {min-spaces-from-content: 1}}}'
}

install_clang_format() {
    python3 -m venv --clear "$UEX_CACHE/lint-venv" &&
        "$UEX_CACHE/lint-venv/bin/pip" install -q --disable-pip-version-check "clang-format==$UEX_CLANG_FORMAT"
}

prepare_clang_format() {
    "$UEX_CACHE/lint-venv/bin/clang-format" --version 2>/dev/null | grep -qF "$UEX_CLANG_FORMAT" ||
        run_logged "clang-format $UEX_CLANG_FORMAT from PyPI" "$UEX_CACHE/log/lint-venv.log" install_clang_format
}

lint_format() {
    with_lock lint-venv prepare_clang_format || return 1
    tree_files '*.c' '*.h' | xargs -r "$UEX_CACHE/lint-venv/bin/clang-format" --dry-run -Werror
}

lint_headers() {
    local without
    without=$({ tree_files '*.c' '*.h' '*.py' '*.java' && script_files; } | sort -u |
        while read -r file; do head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || printf '%s\n' "$file"; done)
    [ -z "$without" ] || { printf 'without a licence line:\n%s\n' "$without" && return 1; }
}

# The engine's lock is taken by functions that put log lines off; see src/engine/engine.h.
lint_locks() {
    local direct
    direct=$(tree_files 'src/*.c' | grep -vx src/engine/synced.c |
        xargs -r grep -nE 'pthread_(mutex|cond)_[a-z]*lock\(.*engine->lock|pthread_cond_[a-z]*wait\(.*engine->lock')
    [ -z "$direct" ] || { printf 'not by uex_engine_lock(), _unlock(), _wait():\n%s\n' "$direct" && return 1; }
}

# Threads are started with their signals blocked; see include/export/thread.h.
lint_threads() {
    local direct
    direct=$(tree_files 'src/*.c' | grep -vx src/core/thread.c | xargs -r grep -n 'pthread_create(')
    [ -z "$direct" ] || { printf 'not by uex_thread_start():\n%s\n' "$direct" && return 1; }
}

lint_links() { tree_files '*.md' | xargs -r python3 tests/lib/links.py; }

# The build keeps modules apart: src/ is on nobody's include path; see uex_module() in CMakeLists.txt.
lint_layers() {
    cmake -S . -B "$RUN_DIR/layers" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_EXPORT_COMPILE_COMMANDS=ON &&
        python3 tests/lib/layers.py "$RUN_DIR/layers"
}

# A mutant whose text is gone from the sources would find nothing any more.
lint_mutants() { PYTHONPATH=tests/chaos python3 -m harness.mutants --check; }

install_asyncapi() {
    npm install --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error \
        "@asyncapi/parser@$UEX_ASYNCAPI_PARSER" "@asyncapi/avro-schema-parser@$UEX_ASYNCAPI_AVRO" && touch "$1/.complete"
}

prepare_asyncapi() {
    [ -e "$1/.complete" ] || run_logged "AsyncAPI's parser from npm" "$UEX_CACHE/log/asyncapi.log" install_asyncapi "$1"
}

lint_asyncapi() {
    local parser="$UEX_CACHE/asyncapi-$UEX_ASYNCAPI_PARSER-$UEX_ASYNCAPI_AVRO"
    with_lock asyncapi prepare_asyncapi "$parser" && node tests/lib/asyncapi.mjs "$parser" schemas/asyncapi.yaml
}

part_lint() {
    local check checks=(shell format yaml headers locks threads links layers mutants)
    packages_install run tests || return 1
    if command -v npm >/dev/null; then
        checks+=(asyncapi)
    else
        say "skipped: asyncapi (npm is not installed)"
    fi
    for check in "${checks[@]}"; do
        if "lint_$check" >"$RUN_DIR/lint-$check.log" 2>&1; then
            count_passed 1
            printf 'ok      %s\n' "$check"
        else
            count_failed 1
            printf 'FAILED  %s\n' "$check"
            head -n 100 "$RUN_DIR/lint-$check.log" | indented
        fi
    done
}
