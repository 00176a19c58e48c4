# SPDX-License-Identifier: Apache-2.0
"""Objects as boto3 sees them."""
import hashlib
import logging
import urllib.parse

import boto3
import botocore.config
import botocore.exceptions

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def segment(group_id):
    """A group's name inside a key: everything but unreserved characters percent-encoded; '.' and '..' wholly."""
    if group_id in (".", ".."):
        return "%2E" * len(group_id)
    return "".join(c if c in UNRESERVED else "".join(f"%{b:02X}" for b in c.encode()) for c in group_id)


class Store:
    def __init__(self, settings):
        logging.getLogger("botocore").setLevel(logging.WARNING)
        self.client = boto3.client(
            "s3", endpoint_url=settings["EXPORT_S3_ENDPOINT"], region_name=settings["EXPORT_S3_REGION"],
            aws_access_key_id=settings["EXPORT_S3_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["EXPORT_S3_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3},
                                          request_checksum_calculation="when_required",
                                          response_checksum_validation="when_required"))

    def get(self, url):
        """(bytes, HEAD-like response) of an s3:// URL whose key is taken as it stands."""
        assert url.startswith("s3://"), url
        bucket, _, key = url[len("s3://"):].partition("/")
        answer = self.client.get_object(Bucket=bucket, Key=key)
        return answer["Body"].read(), answer

    def head(self, url):
        bucket, _, key = url[len("s3://"):].partition("/")
        return self.client.head_object(Bucket=bucket, Key=key)

    def put(self, url, data, metadata, content_type="application/gzip"):
        bucket, _, key = url[len("s3://"):].partition("/")
        self.ensure_bucket(bucket)
        self.client.put_object(Bucket=bucket, Key=key, Body=data, Metadata=metadata, ContentType=content_type)

    def ensure_bucket(self, bucket):
        try:
            self.client.head_bucket(Bucket=bucket)
        except botocore.exceptions.ClientError:
            self.client.create_bucket(Bucket=bucket)

    def keys(self, url):
        """All keys under an s3://bucket/prefix."""
        bucket, _, prefix = url[len("s3://"):].partition("/")
        found = []
        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/"):
                found += [entry["Key"] for entry in page.get("Contents", [])]
        except self.client.exceptions.NoSuchBucket:
            return []
        return found

    def uploads(self, url):
        """Keys of multipart uploads that nobody finished."""
        bucket, _, prefix = url[len("s3://"):].partition("/")
        answer = self.client.list_multipart_uploads(Bucket=bucket, Prefix=prefix + "/")
        return [entry["Key"] for entry in answer.get("Uploads", [])]


def read_file_url(url):
    """The bytes behind a file:/// URL of the contract: only '%' is escaped in it."""
    assert url.startswith("file:///"), url
    with open(urllib.parse.unquote(url[len("file://"):]), "rb") as file:
        return file.read()


def sha256(data):
    return hashlib.sha256(data).hexdigest()
