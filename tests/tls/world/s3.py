# SPDX-License-Identifier: Apache-2.0
"""versitygw over HTTPS, with a user who may do in the bucket what the policy that is shipped says, and nothing else."""
import json
import os
import subprocess

import boto3
from botocore.config import Config

from .processes import CACHE, ROOT, Server, free_port, listens

BUCKET = "users-export"
POLICY = ROOT / "deploy/s3/policy.json"


class S3:
    def __init__(self, folder, authority, password, certificate=None):
        self.authority, self.password, self.port = authority, password, free_port()
        for name in ("data", "sidecar", "iam"):
            (folder / f"s3-{name}").mkdir(exist_ok=True)
        certificate, key = certificate or authority.issue("localhost", file="s3")
        binary = sorted(CACHE.glob("versitygw-v*"))[-1]
        self._binary = binary
        self._root = {"ROOT_ACCESS_KEY": "root-user", "ROOT_SECRET_KEY": password}
        self.server = Server("s3", [binary, "--port", f"127.0.0.1:{self.port}", "--region", "us-east-1", "--cert", certificate, "--key", key,
                                    "--iam-dir", folder / "s3-iam", "posix", "--sidecar", folder / "s3-sidecar", folder / "s3-data"],
                             folder / "s3.log", env={**os.environ, **self._root})

    @property
    def endpoint(self):
        return f"https://localhost:{self.port}"

    def start(self):
        self.server.start(lambda: listens(self.port))
        return self

    def stop(self):
        self.server.stop()

    def make_user(self, name):
        subprocess.run([self._binary, "admin", "--allow-insecure", "--access", "root-user", "--secret", self.password, "--endpoint-url",
                        self.endpoint, "create-user", "--access", name, "--secret", self.password, "--role", "user"], check=True,
                       capture_output=True, timeout=30)

    def client(self):
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="root-user",
                            aws_secret_access_key=self.password, verify=str(self.authority.ca),
                            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}))

    def make_bucket(self):
        self.client().create_bucket(Bucket=BUCKET)

    def allow(self, user, without=None):
        """The policy that is shipped, for this user; `without` one of its actions."""
        policy = json.loads(POLICY.read_text(encoding="utf-8"))
        for statement in policy["Statement"]:
            statement["Principal"] = user
            statement["Action"] = [action for action in statement["Action"] if action != without]
        policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
        self.client().put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))

    @staticmethod
    def actions():
        return [action for statement in json.loads(POLICY.read_text(encoding="utf-8"))["Statement"] for action in statement["Action"]]

    def objects(self):
        found = self.client().list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [item["Key"] for item in found]
