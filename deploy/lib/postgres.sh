# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: a private PostgreSQL whose data may be lost (no fsync). Two ways in: the superuser, for tests and the demo's
# data, and export_worker, who may read the two views and nothing else.

# The newest one of Debian, or the requested one.
postgres_bin() {
    local dirs=(/usr/lib/postgresql/*/bin)
    printf '%s\n' "${USERS_EXPORT_POSTGRES_BIN:-${dirs[-1]}}"
}

# initdb refuses to run as root, so then the server runs as the package's user.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
    else
        "$@"
    fi
}

# A new cluster is the same every time, so it is made once for each version of PostgreSQL.
postgres_template_locked() {
    local version template work
    version=$(basename "$(dirname "$(postgres_bin)")")
    template="$UEX_CACHE/postgres-$version.tar"
    [ ! -e "$template" ] || return 0
    work=$(mktemp -d /tmp/users-export-initdb.XXXXXX)
    [ "$(id -u)" != 0 ] || chown postgres "$work"
    (cd / && as_postgres "$(postgres_bin)/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) >"$UEX_CACHE/log/initdb.log" 2>&1 || {
        cat "$UEX_CACHE/log/initdb.log" >&2
        rm -rf "$work"
        return 1
    }
    tar -C "$work/data" -cf "$template.new" . && mv "$template.new" "$template" || return 1
    rm -rf "$work"
}

# The data directory must be reachable for the user postgres, which a caller's private folder is not.
postgres_create() {
    local data template
    mkdir -p "$UEX_CACHE/log" "$RUN/postgres"
    with_lock postgres postgres_template_locked
    template="$UEX_CACHE/postgres-$(basename "$(dirname "$(postgres_bin)")").tar"
    data=$(mktemp -d /tmp/users-export-postgres.XXXXXX)
    ln -sfn "$data" "$RUN/postgres/data"
    [ "$(id -u)" != 0 ] || chown postgres "$data"
    as_postgres tar -C "$data" -xf - <"$template"
    chmod 700 "$data"
    cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = ${PORT[postgres]}
unix_socket_directories = '$data'
max_connections = 100
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 4GB
autovacuum_naptime = 5s
jit = off
password_encryption = 'scram-sha-256'
CONF
    # The socket is in a folder that only its owner and root can enter; TCP needs a password.
    cat >"$data/pg_hba.conf" <<CONF
local all all trust
host all all 127.0.0.1/32 scram-sha-256
CONF
    touch "$RUN/postgres/created"
}

# postgres_psql ARGUMENT…: as superuser, in the project's database.
postgres_psql() {
    PGPASSWORD="$SECRET" PGCONNECT_TIMEOUT=10 psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "${PORT[postgres]}" -U postgres \
        -d "${PGDATABASE:-users_export}" "$@"
}

postgres_bootstrap() {
    local socket
    socket=$(readlink "$RUN/postgres/data")
    psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -p "${PORT[postgres]}" -U postgres -d postgres <<SQL
ALTER ROLE postgres PASSWORD '$SECRET';
CREATE DATABASE users_export;
SQL
    postgres_psql -v worker_password="$SECRET" -f "$UEX_ROOT/deploy/sql/schema.sql" -f "$UEX_ROOT/deploy/sql/roles.sql"
    touch "$RUN/postgres/ready"
}

postgres_start() {
    local data command
    [ -e "$RUN/postgres/created" ] || postgres_create
    data=$(readlink "$RUN/postgres/data")
    # A killed server has no live process (server_kill waits for that), but its pid exists until an init reaps it.
    rm -f "$data/postmaster.pid"
    command=("$(postgres_bin)/postgres" -D "$data")
    if [ "$(id -u)" = 0 ]; then
        command=(setpriv --reuid=postgres --regid=postgres --init-groups -- "${command[@]}")
    fi
    (cd / && server_launch postgres "${command[@]}")
    server_wait postgres 60 pg_isready -q -h 127.0.0.1 -p "${PORT[postgres]}"
    [ -e "$RUN/postgres/ready" ] || postgres_bootstrap
}

# SIGINT is PostgreSQL's fast shutdown.
postgres_stop() { server_stop postgres INT 15; }

postgres_remove() {
    local data
    data=$(readlink "$RUN/postgres/data" 2>/dev/null) || return 0
    case $data in /tmp/users-export-postgres.*) rm -rf "$data" "$RUN/postgres" ;; esac
}

postgres_env() {
    cat <<ENV
EXPORT_POSTGRES_DSN='postgresql://export_worker:$SECRET@127.0.0.1:${PORT[postgres]}/users_export'
USERS_EXPORT_ADMIN_DSN='postgresql://postgres:$SECRET@127.0.0.1:${PORT[postgres]}/users_export'
ENV
}
