# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the tree built, and its unit tests run, with Debian 13's compiler and libraries.

bootstrap_debian13() {
    rm -rf "$1.new"
    debootstrap --variant=minbase trixie "$1.new" && mv "$1.new" "$1"
}

# in_root ROOT COMMAND…: with a /proc of its own, which goes with the command, where the kernel allows it.
in_root() {
    local root=$1
    shift
    if unshare -m true 2>/dev/null; then
        # shellcheck disable=SC2016
        unshare -m sh -c 'mount -t proc proc "$1/proc" && shift && exec chroot "$@"' sh "$root" "$root" "$@"
    else
        chroot "$root" "$@"
    fi
}

prepare_debian13() {
    local root=$1
    [ -d "$root" ] || run_logged "Debian 13 root (debootstrap)" "$UEX_CACHE/log/debian13.log" bootstrap_debian13 "$root" || return 1
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    rm -rf "$root/install"
    mkdir "$root/install"
    tar -cf - deploy/lib | tar -C "$root/install" -xf -
    run_logged "its packages" "$UEX_CACHE/log/debian13-packages.log" \
        in_root "$root" /usr/bin/env -i HOME=/root PATH="$UEX_ROOT_PATH" TERM=dumb /install/deploy/lib/services install build
}

UEX_ROOT_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

part_debian13() {
    local root="$UEX_CACHE/debian13-root" tree log="$RUN_DIR/debian13.log" rc=0 closing
    packages_install tests || return 1
    if [ "$(id -u)" != 0 ]; then
        say "needs root (debootstrap, chroot)"
        return 1
    fi
    with_lock debian13 prepare_debian13 "$root" || return 1
    tree=$(mktemp -d "$root/tmp/tree.XXXXXX")
    git ls-files -co --exclude-standard | while read -r file; do [ ! -e "$file" ] || printf '%s\n' "$file"; done |
        tar -cf - -T - | tar -C "$tree" -xf -
    # The same script in there; its closing line is what counts.
    in_root "$root" /usr/bin/env -i HOME=/root PATH="$UEX_ROOT_PATH" LANG=C.UTF-8 "${tree#"$root"}/tests/run" unit "${NAMES[@]}" 2>&1 |
        tee "$log" | indented || rc=1
    rm -rf "$tree"
    closing=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || return 1
    count_passed "${closing%% *}"
    closing=${closing#*, }
    count_failed "${closing%% *}"
    return "$rc"
}
