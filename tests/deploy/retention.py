# SPDX-License-Identifier: Apache-2.0
"""What is kept for how long, as it is shipped: retention.py OBJECTS EXPORTCTL.

The lifecycle rules of the bucket are what S3's own model takes, hold for the prefix that the policy grants and leave
objects longer than anything that names them; the topics' settings are those of Strimzi's objects (OBJECTS, a file of YAML
documents) and, with a broker at hand (EXPORT_KAFKA_BOOTSTRAP_SERVERS), those that `exportctl topics create` makes.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import botocore.session
import yaml
from botocore.validate import ParamValidator

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DAY_MS = 24 * 3600 * 1000


def read(name):
    return json.loads((DEPLOY / name).read_text(encoding="utf-8"))


def check_lifecycle(topics):
    rules = read("s3/lifecycle.json")
    model = botocore.session.get_session().get_service_model("s3")
    shape = model.shape_for("BucketLifecycleConfiguration")
    report = ParamValidator().validate(rules, shape)
    assert not report.has_errors(), report.generate_report()
    # A mistyped member is refused, so the check above is one.
    rules["Rules"][0]["Statu"] = rules["Rules"][0].pop("Status")
    assert ParamValidator().validate(rules, shape).has_errors()
    rules = read("s3/lifecycle.json")["Rules"]
    granted = [re.fullmatch(r"arn:aws:s3:::[^/]+/(.*)\*", resource).group(1) for statement in read("s3/policy.json")["Statement"]
               for resource in statement["Resource"] if resource.endswith("*")]
    assert all(rule["Status"] == "Enabled" and rule["Filter"]["Prefix"] in granted for rule in rules), rules
    assert any(rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation") == 1 for rule in rules)
    days = min(rule["Expiration"]["Days"] for rule in rules if "Days" in rule.get("Expiration", {}))
    kept = max(settings.get("retention.ms", 0) for settings in topics.values())
    assert days * DAY_MS > kept, "an object ends before a dead letter that can be replayed and would announce it"


def check_strimzi(topics, path):
    with open(path, encoding="utf-8") as file:
        found = {item["spec"]["topicName"]: item["spec"]["config"] for item in yaml.safe_load_all(file) if item and item["kind"] == "KafkaTopic"}
    assert found == topics, f"{path} has {found}"


def check_exportctl(topics, exportctl):
    """`topics create` prints what it makes: here with one replica, under names of its own."""
    names = {f"EXPORT_TOPICS_{key.upper()}": f"retention.{name}" for key, name in
             (("command", "export-group"), ("retry", "export-group-retry"), ("state", "export-group-state"), ("progress", "export-group-progress"), ("run", "export-group-run"),
              ("result", "flairbit-users"), ("dlq", "flairbit-dlq"))}
    done = subprocess.run([exportctl, "topics", "create", "--partitions", "1", "--replication-factor", "1", "--output", "json"], capture_output=True,
                          text=True, check=False, env={**os.environ, **names})
    assert done.returncode == 0, done.stderr
    made = {topic["topic"].removeprefix("retention."): settings_of(topic["settings"]) for topic in json.loads(done.stdout)}
    expected = {name: {key: str(value) for key, value in {**settings, "min.insync.replicas": 1}.items()} for name, settings in topics.items()}
    assert made == expected, made


def settings_of(cell):
    return json.loads(cell) if isinstance(cell, str) else cell


def main(objects, exportctl):
    topics = read("kafka/topics.json")
    check_lifecycle(topics)
    check_strimzi(topics, objects)
    if os.environ.get("EXPORT_KAFKA_BOOTSTRAP_SERVERS"):
        check_exportctl(topics, exportctl)


if __name__ == "__main__":
    main(*sys.argv[1:])
