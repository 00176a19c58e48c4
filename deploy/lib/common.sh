# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by every script here: messages, folders of the cache, running long commands.

UEX_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
UEX_CACHE="${USERS_EXPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/users-export}"
export UEX_ROOT UEX_CACHE

say() { printf '%s\n' "$*" >&2; }
step() { printf '==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# as_root COMMAND…: only apt needs it.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "this needs root or sudo: $*"
    fi
}

# Shows the last line of a long command's output, again and again, until the process that owns the terminal is gone.
show_progress() {
    local owner=$1 log=$2 start=$SECONDS columns line
    columns=$(tput cols 2>/dev/null || echo 80)
    while sleep 1 && kill -0 "$owner" 2>/dev/null; do
        line=$(tail -c 400 "$log" | tr '\r\t' '\n ' | tr -cd '[:print:]\n' | grep -v '^ *$' | tail -n 1) || true
        line=$(printf '    %3d s  %s' $((SECONDS - start)) "$line")
        printf '\r\033[K%s' "${line:0:columns-1}" >&2
    done
}

# run_logged WHAT LOG COMMAND…: run it with its output in LOG; on a terminal its last line is shown, on failure the tail.
# The command stays in the foreground, so that Ctrl-C reaches it.
run_logged() {
    local what=$1 log=$2 start=$SECONDS ticker='' rc=0
    shift 2
    step "$what"
    mkdir -p "$(dirname "$log")"
    : >"$log"
    if [ -t 2 ]; then
        show_progress $$ "$log" &
        ticker=$!
    fi
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    if [ -n "$ticker" ]; then
        kill "$ticker" 2>/dev/null || true
        wait "$ticker" 2>/dev/null || true
        printf '\r\033[K' >&2
    fi
    if [ "$rc" != 0 ]; then
        tail -n 40 "$log" | sed 's/^/    | /' >&2
        say "failed (exit code $rc): $what; all of its output: $log"
        return "$rc"
    fi
    say "    done in $((SECONDS - start)) s"
}

# with_lock NAME COMMAND…: one process at a time fills a part of the cache. `set -e` has no effect inside COMMAND.
with_lock() {
    local name=$1 lock
    shift
    mkdir -p "$UEX_CACHE"
    exec {lock}>"$UEX_CACHE/.$name.lock"
    if ! flock -n "$lock"; then
        say "waiting for another process that prepares $name"
        flock -w 1800 "$lock" || die "the lock $UEX_CACHE/.$name.lock was not free within 30 minutes"
    fi
    local rc=0
    "$@" {lock}>&- || rc=$?
    exec {lock}>&-
    return "$rc"
}

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
