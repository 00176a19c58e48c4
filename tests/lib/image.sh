# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the image, built from deploy/docker/Dockerfile without a Docker engine, and run against the private
# services: by buildah, and as a cluster would run it: not as root, without rights, its root read-only.

UEX_IMAGE_MAX_MIB=60

bootstrap_base() {
    local root=$1.root
    rm -rf "$root"
    debootstrap --variant=minbase trixie "$root" &&
        tar -C "$root" --exclude='./var/cache/apt/archives/*.deb' --exclude='./dev/*' --exclude='./var/lib/apt/lists/*' -cf "$1.new" . &&
        mv "$1.new" "$1" && rm -rf "$root"
}

prepare_base() { [ -e "$1" ] || run_logged "Debian 13 base for the image (debootstrap)" "$UEX_CACHE/log/debian13-base.log" bootstrap_base "$1"; }

# All of it in this run's folder, so that nothing stays behind.
image_buildah() {
    local verb=$1
    shift
    buildah --root "$RUN_DIR/image/storage" --runroot "$RUN_DIR/image/run" --storage-driver vfs "$verb" "$@"
}

image_base() {
    local container
    container=$(image_buildah from scratch) &&
        image_buildah add -q "$container" "$1" / &&
        image_buildah commit -q --rm "$container" localhost/debian13-base
}

image_bud() {
    image_buildah bud --isolation chroot --timestamp 0 --no-cache --build-arg BASE=localhost/debian13-base \
        --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" -f "$IMAGE_TREE/deploy/docker/Dockerfile" -t "$1" "$IMAGE_TREE"
}

# Of a copy of the tree: both builds are of the same input, whatever is edited meanwhile.
image_build() {
    mkdir "$IMAGE_TREE" && tree_files | tar -cf - -T - | tar -C "$IMAGE_TREE" -xf - &&
        image_base "$1" && image_bud localhost/users-export
}

image_bare() {
    local found
    found=$(find "$IMAGE_ROOT" -xdev \( -type f -o -type l \) \( -path '*/bin/*' -o -path '*/sbin/*' -o -path '*/libexec/*' \) -printf '%P\n' | sort)
    [ "$found" = "$(printf 'usr/local/bin/%s\n' export-scheduler export-worker exportctl)" ] || { printf '%s\n' "$found" && return 1; }
    found=$(find "$IMAGE_ROOT" -xdev \( -perm /6000 -o -type f -perm /022 -o -name '*.a' -o -name '*.h' \))
    [ -z "$found" ] || { printf '%s\n' "$found" && return 1; }
}

image_small() {
    local mib
    mib=$(du -sm "$IMAGE_ROOT" | cut -f1)
    printf '%s MiB\n' "$mib" >"$RUN_DIR/image/size"
    [ "$mib" -le "$UEX_IMAGE_MAX_MIB" ]
}

image_settings() {
    image_buildah inspect --type image localhost/users-export >"$RUN_DIR/image/inspect.json" &&
        python3 - "$RUN_DIR/image/inspect.json" <<'PY'
import json, sys
config = json.load(open(sys.argv[1], encoding="utf-8"))["OCIv1"]["config"]
assert config["User"] == "65532:65532", config
assert config["Cmd"] == ["export-worker"], config
for label in ("title", "description", "licenses", "version", "revision", "base.name"):
    assert config["Labels"].get("org.opencontainers.image." + label), label
PY
}

# Each library is named with its package and licence.
image_packages() {
    local package version
    while read -r package version; do
        printf '%s\n' "$package"
        grep -q "^Version: $version\$" "$IMAGE_ROOT/var/lib/dpkg/status.d/$package" || return 1
        [ -s "$IMAGE_ROOT/usr/share/doc/$package/copyright" ] || return 1
    done <"$IMAGE_ROOT/usr/share/users-export/packages"
    grep -q '^librdkafka1 ' "$IMAGE_ROOT/usr/share/users-export/packages"
}

# What it is made of: written from the image's root, checked by another's schema; kept where CI picks it up.
image_sbom() {
    local bill="$RUN_DIR/image/sbom.json"
    deploy/docker/sbom "$IMAGE_ROOT" >"$bill" && "$(deploy_venv)/bin/python" tests/deploy/sbom.py "$bill" "$IMAGE_ROOT/usr/share/users-export/packages" &&
        mkdir -p build/image && cp "$bill" build/image/sbom.json
}

image_licences() { deploy/docker/sbom --licences "$IMAGE_ROOT" | diff deploy/LICENSES.md -; }

image_versions() {
    local program version
    version=$(sed -n 's/^project(users-export VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
    for program in export-worker export-scheduler exportctl; do
        [ "$(image_buildah run --isolation chroot "$IMAGE_CONTAINER" -- "$program" --version)" = "$program $version" ] || return 1
    done
}

# The same input, built a second time from nothing: the same bytes, down to the image's id.
image_reproducible() {
    image_bud localhost/users-export-again &&
        [ "$(image_buildah images -q --no-trunc localhost/users-export)" = "$(image_buildah images -q --no-trunc localhost/users-export-again)" ]
}

# run_in_image COMMAND…: not as root, nothing but /tmp can be written, no right can be gained.
run_in_image() {
    # shellcheck disable=SC2016
    exec env -i PATH="$PATH" "${SERVICE_SETTINGS[@]}" EXPORT_EXPORT_WORK_DIR=/tmp/users-export unshare -m sh -ec '
        root=$1; shift
        mount --bind "$root" "$root"
        mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/tmp"
        mkdir -p /tmp && mount -o remount,bind,ro "$root"
        cd /
        exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all \
            chroot --userspec=65532:65532 --groups= "$root" "$@"' sh "$IMAGE_ROOT" "$@"
}

image_worker_confined() {
    local status=/proc/$1/status
    [ "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "$status")" = "65532 65532 65532 65532" ] &&
        [ "$(awk '/^CapEff:/ { print $2 }' "$status")" = 0000000000000000 ] &&
        [ "$(awk '/^NoNewPrivs:/ { print $2 }' "$status")" = 1 ] &&
        awk '$5 == "/" && $6 ~ /(^|,)ro(,|$)/ { found = 1 } END { exit !found }' "/proc/$1/mountinfo" &&
        [ "$(readlink "/proc/$1/root")" = "$IMAGE_ROOT" ]
}

# image_scheduler CODE ARGUMENT…: does the scheduler's container end with this exit code?
image_scheduler() {
    local wanted=$1 rc=0 settings=() setting
    shift
    for setting in "${SERVICE_SETTINGS[@]}"; do settings+=(--env "$setting"); done
    image_buildah run --isolation chroot "${settings[@]}" "$IMAGE_CONTAINER" -- export-scheduler "$@" || rc=$?
    [ "$rc" = "$wanted" ] || { printf 'export-scheduler %s: exit code %s, not %s\n' "$*" "$rc" "$wanted" && return 1; }
}

# Topics and the scheduler by `buildah run`, the worker confined: a night that ends (0), one of which a group fails (1); then a
# graceful end of the worker, and a night that nobody exports (4).
image_exports() {
    local log="$RUN_DIR/image/worker.log" worker rc=0 deadline groups settings=() setting
    for setting in "${SERVICE_SETTINGS[@]}"; do settings+=(--env "$setting"); done
    settings+=(--env EXPORT_EXPORT_WORK_DIR=/tmp/users-export)
    deploy/lib/services demo-data --run-dir "$RUN_DIR/services" &&
        image_buildah run --isolation chroot "${settings[@]}" "$IMAGE_CONTAINER" -- exportctl topics create >/dev/null || return 1
    (run_in_image /usr/local/bin/export-worker) >"$log" 2>&1 &
    worker=$!
    groups=$(image_buildah run --isolation chroot "${settings[@]}" "$IMAGE_CONTAINER" -- export-scheduler --dry-run | wc -l)
    image_scheduler 0 --schedule.wait=2m || rc=1
    deadline=$((SECONDS + 60)) # the audit lines come after the commits
    until [ "$(grep -c '"event":"outcome"' "$log")" -ge "$groups" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.2; done
    deploy/lib/services psql --run-dir "$RUN_DIR/services" -qc \
        "UPDATE users SET date_of_birth = 'infinity' WHERE group_id LIKE 'pune%'" || rc=1
    image_scheduler 1 --run a-group-fails --schedule.wait=2m || rc=1
    [ "$groups" -gt 0 ] && [ "$(grep -c '"outcome":"exported"' "$log")" -gt 0 ] || rc=1
    image_worker_confined "$worker" || rc=1
    kill -TERM "$worker"
    wait || true
    grep -q '"event":"shutdown-end"' "$log" || rc=1
    image_scheduler 4 --run nobody-exports --schedule.wait=2s || rc=1
    [ "$rc" = 0 ] || tail -n 20 "$log"
    return "$rc"
}

part_image() {
    packages_install build run image || return 1
    if [ "$(id -u)" != 0 ]; then
        say "needs root (debootstrap, chroot)"
        return 1
    fi
    with_lock debian13-base prepare_base "$UEX_CACHE/debian13-base.tar" || return 1
    with_lock deploy-tools prepare_deploy_venv || return 1
    mkdir -p "$RUN_DIR/image"
    IMAGE_TREE="$RUN_DIR/image/tree"
    run_logged "the image" "$RUN_DIR/image/build.log" image_build "$UEX_CACHE/debian13-base.tar" || return 1
    count_passed 1
    IMAGE_CONTAINER=$(image_buildah from localhost/users-export) && IMAGE_ROOT=$(image_buildah mount "$IMAGE_CONTAINER") || return 1
    check "nothing to run but the three programs, nothing set-uid" image_bare
    check "at most $UEX_IMAGE_MAX_MIB MiB" image_small
    say "    the image has $(cat "$RUN_DIR/image/size")"
    check "user, command, labels" image_settings
    check "each package is named with its version and licence" image_packages
    check "bill of materials (CycloneDX): valid and whole" image_sbom
    check "licences: deploy/LICENSES.md" image_licences
    check "the three programs start (buildah run)" image_versions
    check "built again elsewhere: the same bytes" image_reproducible
    start_services || return 1
    check "a night's export: scheduler by buildah (exit codes 0, 1, 4), worker not as root, read-only, without rights" image_exports
    image_buildah rm -a >/dev/null || true
}
