# SPDX-License-Identifier: Apache-2.0
"""Uploads standard input as one S3 object: s3put.py KEY"""
import os
import sys
import boto3
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=Config(s3={"addressing_style": "path"}))
s3.upload_fileobj(sys.stdin.buffer, os.environ["S3_BUCKET"], sys.argv[1], ExtraArgs={"ContentType": "application/gzip"})
