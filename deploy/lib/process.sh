# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: ports, and servers that run in the background. A server NAME has in the run directory $RUN:
# NAME.pid ("pid start-time"), NAME.log, and a folder NAME/ for its data.

# shellcheck disable=SC2034 # read by the services' own files
declare -A PORT=() # port of each service, filled from $RUN/ports
UEX_PORTS_DIR="/tmp/users-export-ports.$(id -u)"

# A free port of 127.0.0.1, reserved until this run directory is gone. Below the range that the kernel gives to outgoing
# connections, so that a server which is stopped for a while finds its port free again.
reserve_port() {
    local port try owner
    mkdir -p "$UEX_PORTS_DIR"
    for ((try = 0; try < 500; try++)); do
        port=$((20000 + (RANDOM << 15 | RANDOM) % 10000))
        if [ -e "$UEX_PORTS_DIR/$port" ]; then
            owner=$(cat "$UEX_PORTS_DIR/$port" 2>/dev/null) || owner=''
            if [ -n "$owner" ] && [ ! -d "$owner" ]; then rm -f "$UEX_PORTS_DIR/$port"; fi
        fi
        (set -C && printf '%s\n' "$RUN" >"$UEX_PORTS_DIR/$port") 2>/dev/null || continue
        if ! port_open "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
    die "no free port found between 20000 and 29999"
}

release_ports() {
    grep -lxF -- "$RUN" "$UEX_PORTS_DIR"/* 2>/dev/null | xargs -r rm -f
    rmdir "$UEX_PORTS_DIR" 2>/dev/null || true
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Field 22 of /proc/PID/stat, after the command name in parentheses: with the pid it identifies one process for ever.
process_start_time() { sed -e 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# Prints the pid of the server if it runs.
server_pid() {
    local pid='' since=''
    [ -e "$RUN/$1.pid" ] || return 1
    read -r pid since <"$RUN/$1.pid" || return 1
    [ -n "$since" ] && [ "$(process_start_time "$pid")" = "$since" ] || return 1
    ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null || return 1
    printf '%s\n' "$pid"
}

# server_launch NAME COMMAND…: in a session of its own, so that Ctrl-C does not reach it past the caller's trap.
# Signals are deferred until the pid is written: else nobody would know what to stop.
server_launch() {
    local name=$1 traps late=''
    shift
    traps=$(trap -p INT TERM)
    trap 'late=INT' INT
    trap 'late=TERM' TERM
    setsid "$@" >>"$RUN/$name.log" 2>&1 </dev/null &
    printf '%s %s\n' $! "$(process_start_time $!)" >"$RUN/$name.pid"
    trap - INT TERM
    eval "$traps"
    [ -z "$late" ] || kill -s "$late" "$BASHPID"
}

# server_wait NAME SECONDS COMMAND…: until the command succeeds; fails at once when the server has died.
server_wait() {
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! server_pid "$name" >/dev/null; then
            say "$name ended before it was ready"
            return 1
        fi
        if ((SECONDS >= deadline)); then
            say "$name was not ready in time"
            return 1
        fi
        sleep 0.1
    done
}

# The server and its direct children (PostgreSQL's are in sessions of their own).
server_tree() {
    local pid
    pid=$(server_pid "$1") || return 1
    printf '%s\n' "$pid"
    xargs -r printf '%s\n' <"/proc/$pid/task/$pid/children" 2>/dev/null || true
}

# server_signal NAME SIGNAL: to the server and its children.
server_signal() {
    local pids
    mapfile -t pids < <(server_tree "$1")
    [ ${#pids[@]} = 0 ] || kill -s "$2" "${pids[@]}" 2>/dev/null || true
}

# server_stop NAME SIGNAL SECONDS: asks it to end, and ends it when it does not.
server_stop() {
    local name=$1 signal=$2 deadline=$((SECONDS + $3)) pid
    pid=$(server_pid "$name") || return 0
    server_signal "$name" CONT
    kill -s "$signal" "$pid" 2>/dev/null || true
    while server_pid "$name" >/dev/null; do
        if ((SECONDS >= deadline)); then
            server_signal "$name" KILL
            deadline=$((SECONDS + 3600))
        fi
        sleep 0.05
    done
    rm -f "$RUN/$name.pid"
}

# server_kill NAME: SIGKILL to the server and its children; returns when all are gone.
server_kill() {
    local pids pid
    mapfile -t pids < <(server_tree "$1")
    [ ${#pids[@]} = 0 ] || kill -s KILL "${pids[@]}" 2>/dev/null || true
    for pid in "${pids[@]}"; do
        while grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null; do sleep 0.02; done
    done
    rm -f "$RUN/$1.pid"
}
