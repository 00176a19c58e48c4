# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: every Debian package that building, running and testing need, each named once, and how they get there.

declare -A UEX_PACKAGES=(
    # To build: compiler, tools and libraries.
    [build]="gcc libc6-dev cmake ninja-build pkg-config ccache
        librdkafka-dev libpq-dev libcurl4-openssl-dev zlib1g-dev libzstd-dev libcjson-dev libavro-dev libcmocka-dev
        libisal-dev libhiredis-dev libmicrohttpd-dev libssl-dev libexpat1-dev"
    # To run the private services and the demo. postgresql and redis-server bring their clients.
    [run]="ca-certificates curl postgresql redis-server default-jdk-headless maven python3 python3-venv kcat procps"
    # For tests only.
    [tests]="git faketime valgrind shellcheck yamllint debootstrap prometheus golang-go groff-base zsh fish"
    # To look into JSON Lines: the demo, and the readers that are tested.
    [formats]="jq"
    # To look at the page of a run.
    [page]="chromium fonts-dejavu-core"
    # To build and inspect the image without a Docker engine; to check the files below deploy/.
    [image]="buildah debootstrap git"
    [deploy]="docker-compose"
)

# packages_missing LIST…: prints the packages of the lists (build, run, tests) that are not installed.
packages_missing() {
    local list package
    for list in "$@"; do
        [ -n "${UEX_PACKAGES[$list]:-}" ] || die "there is no list of packages '$list'; there are: ${!UEX_PACKAGES[*]}"
        for package in ${UEX_PACKAGES[$list]}; do
            dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
        done
    done
}

# Installing a package must not start its server: we run private ones. Where there is no policy-rc.d, ours is there during
# the installation. In a subshell, so that its trap removes the file however this ends.
install_without_starting() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "$@"
)

# packages_install LIST…: installs the missing packages of the lists; returns at once if none is missing.
packages_install() {
    local missing log="$UEX_CACHE/log/apt.log"
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} != 0 ] || return 0
    [ -e /etc/debian_version ] || die "not a Debian system; install what corresponds to: ${missing[*]}"
    step "these Debian packages are missing: ${missing[*]}"
    # One unreachable source of many is no reason to stop: if it matters, the installation fails.
    run_logged "apt-get update" "$log" as_root apt-get -q -o DPkg::Lock::Timeout=300 update || warn "the lists of packages may be old"
    run_logged "apt-get install (${#missing[@]} packages and what they need)" "$log" install_without_starting "${missing[@]}"
}
