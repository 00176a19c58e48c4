# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: a private Redis that keeps nothing on disk.

redis_start() {
    mkdir -p "$RUN/redis"
    # The password is in a file, not in the process list.
    (umask 077 && cat >"$RUN/redis/redis.conf") <<CONF
bind 127.0.0.1
port ${PORT[redis]}
dir $RUN/redis
requirepass $SECRET
save ""
appendonly no
daemonize no
CONF
    server_launch redis redis-server "$RUN/redis/redis.conf"
    server_wait redis 20 redis_ready
}

redis_ready() { [ "$(REDISCLI_AUTH=$SECRET redis-cli -h 127.0.0.1 -p "${PORT[redis]}" ping 2>/dev/null)" = PONG ]; }

redis_stop() { server_stop redis TERM 10; }

redis_remove() { rm -rf "$RUN/redis"; }

redis_env() { printf "EXPORT_REDIS_URL='redis://:%s@127.0.0.1:%s/0'\n" "$SECRET" "${PORT[redis]}"; }
