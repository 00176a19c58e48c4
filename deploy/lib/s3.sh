# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: a private S3 server over a folder: versitygw, or MinIO (USERS_EXPORT_S3_SERVER=minio), which also encrypts. Both
# check signatures and honour If-None-Match.

xattrs_work() {
    python3 - "$1" <<'PY'
import os, sys
try:
    os.setxattr(sys.argv[1], "user.users-export", b"1")
    os.removexattr(sys.argv[1], "user.users-export")
except OSError:
    sys.exit(1)
PY
}

s3_start_minio() {
    MINIO_ROOT_USER=users-export MINIO_ROOT_PASSWORD="$SECRET" MINIO_KMS_SECRET_KEY="demo-key:$(head -c 32 /dev/urandom | base64)" \
        MINIO_BROWSER=off server_launch s3 "$UEX_MINIO" server --quiet --address "127.0.0.1:${PORT[s3]}" "$RUN/s3/data"
    server_wait s3 40 curl -sf --noproxy '*' -m 2 "http://127.0.0.1:${PORT[s3]}/minio/health/ready"
}

s3_start() {
    mkdir -p "$RUN/s3/data"
    if [ "${USERS_EXPORT_S3_SERVER:-versitygw}" = minio ]; then
        s3_start_minio
        return
    fi
    local metadata=()
    # Objects' metadata are extended attributes; where the file system has none, files beside them.
    if ! xattrs_work "$RUN/s3/data"; then
        mkdir -p "$RUN/s3/metadata"
        metadata=(--sidecar "$RUN/s3/metadata")
    fi
    ROOT_ACCESS_KEY="users-export" ROOT_SECRET_KEY="$SECRET" \
        server_launch s3 "$UEX_VERSITYGW" --port "127.0.0.1:${PORT[s3]}" --region us-east-1 --health /health \
        posix "${metadata[@]}" "$RUN/s3/data"
    server_wait s3 20 curl -sf --noproxy '*' -m 2 "http://127.0.0.1:${PORT[s3]}/health"
}

s3_stop() { server_stop s3 TERM 5; }

s3_remove() { rm -rf "$RUN/s3"; }

s3_env() {
    cat <<ENV
EXPORT_STORAGE_URL='s3://users-export/exports'
EXPORT_S3_ENDPOINT='http://127.0.0.1:${PORT[s3]}'
EXPORT_S3_REGION='us-east-1'
EXPORT_S3_ACCESS_KEY_ID='users-export'
EXPORT_S3_SECRET_ACCESS_KEY='$SECRET'
ENV
}
