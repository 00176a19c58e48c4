# SPDX-License-Identifier: Apache-2.0
"""What holds for every set of objects, whoever made it: policy.py FILE EXPORTCTL, a file of YAML documents.

No general tool knows these rules: they are the programs' own.
"""
import configparser
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

LAST_STEPS_SECONDS = 15  # the last transaction and the leaving of the consumer group, after shutdown.timeout
START_AGAIN_SECONDS = 600  # of the job, beside schedule.wait: for pods that are started again


def seconds(text):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    number = text.rstrip("msh")
    return int(number) * units[text[len(number):]]


class Objects:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.all = [found for found in yaml.safe_load_all(file) if found]

    def kind(self, kind):
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind):
        found = self.kind(kind)
        assert len(found) == 1, f"{len(found)} of {kind}"
        return found[0]

    def config(self):
        return next(found["data"] for found in self.kind("ConfigMap") if "config.ini" in found["data"])


def config_of(objects):
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    ini.read_string("[top]\n" + objects.config()["config.ini"])
    return ini


def pods(objects):
    yield objects.one("Deployment")["spec"]["template"]
    yield objects.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]


def check_pod(template):
    """Restricted Pod Security, and what it leaves open."""
    pod = template["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "service addresses would come as EXPORT_ variables"
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert not any("hostPath" in volume for volume in pod["volumes"])
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        assert not pod.get(key)
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["limits"])
        assert not any("secretKeyRef" in entry.get("valueFrom", {}) for entry in container["env"]), "a secret is in the environment"
        mounted = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
        assert all(mount.get("readOnly") for name, mount in mounted.items() if name != "tmp")
        for entry in container["env"]:
            path = entry.get("value", "")
            assert not path.startswith("/etc/users-export/") or any(
                path.startswith(mount["mountPath"] + "/") for mount in mounted.values()), f"{entry['name']}: nothing is mounted there"


def check_worker(objects):
    deployment = objects.one("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    ini = config_of(objects)
    assert pod["terminationGracePeriodSeconds"] >= seconds(ini["shutdown"]["timeout"]) + LAST_STEPS_SECONDS
    worker = pod["containers"][0]
    port = next(port for port in worker["ports"] if port["name"] == "http")["containerPort"]
    assert ini["http"]["listen"].endswith(f":{port}")
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert worker[probe]["httpGet"] == {"path": path, "port": "http"}
    assert ("replicas" in deployment["spec"]) != bool(objects.kind("ScaledObject"))
    for scaled in objects.kind("ScaledObject"):
        partitions = {topic["spec"]["partitions"] for topic in objects.kind("KafkaTopic")
                      if topic["spec"]["topicName"] != ini["topics"]["run"]} or {12}
        assert scaled["spec"]["maxReplicaCount"] <= min(partitions)
        tiers = len(ini["retry"]["delays"].split(","))
        expected = [ini["topics"]["command"]] + [f"{ini['topics']['retry']}-{tier}" for tier in range(tiers)]
        assert [trigger["metadata"]["topic"] for trigger in scaled["spec"]["triggers"]] == expected
        assert all(trigger["metadata"]["consumerGroup"] == ini["kafka"]["group.id"] for trigger in scaled["spec"]["triggers"])


def check_scheduler(objects):
    spec = objects.one("CronJob")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("20 23 * * *", "Asia/Kolkata", "Forbid")
    job = spec["jobTemplate"]["spec"]
    assert spec["startingDeadlineSeconds"] and job["backoffLimit"]
    # Whoever ends the scheduler before schedule.wait is over ends it without a word in topics.run. One that is started again
    # waits anew.
    assert job["activeDeadlineSeconds"] >= 2 * seconds(config_of(objects)["schedule"]["wait"]) + START_AGAIN_SECONDS
    fails_at = [rule["onExitCodes"]["values"] for rule in job["podFailurePolicy"]["rules"] if rule["action"] == "FailJob"]
    assert fails_at == [[2, 4]], "a retry mends neither the configuration nor a run that did not end in time"


def check_rights(objects):
    """What a scheduler that waits asks of Kafka: its run, the states of the groups, its own commands after a restart."""
    topics, group = config_of(objects)["topics"], config_of(objects)["kafka"]["group.id"]
    wanted = {("topic", topics["command"], "Read"), ("topic", topics["command"], "Write"), ("topic", topics["run"], "Read"),
              ("topic", topics["run"], "Write"), ("topic", topics["state"], "Read"),
              ("transactionalId", f"{group}-scheduler", "Write"), ("transactionalId", f"{group}-run", "Write")}
    for user in objects.kind("KafkaUser"):
        if user["metadata"]["name"].endswith("-scheduler"):
            acls = user["spec"]["authorization"]["acls"]
            assert {(acl["resource"]["type"], acl["resource"]["name"], operation) for acl in acls for operation in acl["operations"]} == wanted
            assert {acl["resource"]["patternType"] for acl in acls} == {"literal"}


def check_selectors(objects):
    """Whatever selects pods selects some."""
    labels = [template["metadata"]["labels"] for template in pods(objects)]
    for kind, get in (("Service", lambda s: s["selector"]), ("PodDisruptionBudget", lambda s: s["selector"]["matchLabels"]),
                      ("NetworkPolicy", lambda s: s["podSelector"]["matchLabels"]), ("Deployment", lambda s: s["selector"]["matchLabels"])):
        for found in objects.kind(kind):
            wanted = get(found["spec"])
            assert any(wanted.items() <= mine.items() for mine in labels), f"{kind} selects nothing"


def check_config(objects, exportctl):
    """The programs themselves take the configuration, with the variables of the pods."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.ini")
        # A certificate is looked for when a client is made; here are the machine's own.
        file.write_text(objects.config()["config.ini"].replace("/etc/users-export/tls/kafka-ca.crt", "/etc/ssl/certs/ca-certificates.crt"),
                        encoding="utf-8")
        values = {"EXPORT_POSTGRES_DSN_FILE": "postgresql://u:p@h/d", "EXPORT_REDIS_URL_FILE": "redis://:p@h:6379/0"}
        for template in pods(objects):
            settings = {"PATH": "/usr/bin:/bin", "EXPORT_CONFIG": str(file)}
            for entry in template["spec"]["containers"][0]["env"]:
                name = entry["name"]
                if name.endswith("_FILE"):
                    Path(folder, name).write_text(values.get(name, "secret") + "\n", encoding="utf-8")
                    settings[name] = str(Path(folder, name))
                elif name.startswith("EXPORT_") and name != "EXPORT_CONFIG":
                    settings[name] = entry.get("value", "pod-1")
                elif name.startswith("AWS_"):
                    settings[name] = entry["value"]
            if any("role-arn" in key for key in objects.one("ServiceAccount")["metadata"].get("annotations", {})):
                # As the webhook of EKS sets them.
                Path(folder, "token").write_text("token", encoding="utf-8")
                settings.update(AWS_ROLE_ARN="arn:aws:iam::111122223333:role/users-export",
                                AWS_WEB_IDENTITY_TOKEN_FILE=str(Path(folder, "token")))
            done = subprocess.run([exportctl, "config", "check"], env=settings, cwd=folder, capture_output=True, text=True, check=False)
            said = done.stdout + done.stderr
            assert done.returncode == 0, said
            assert "is not a setting" not in said, said


def main(path, exportctl):
    objects = Objects(path)
    for template in pods(objects):
        check_pod(template)
    check_worker(objects)
    check_scheduler(objects)
    check_rights(objects)
    check_selectors(objects)
    check_config(objects, os.path.abspath(exportctl))
    assert objects.one("ServiceAccount")["automountServiceAccountToken"] is False
    for namespace in objects.kind("Namespace"):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


if __name__ == "__main__":
    main(*sys.argv[1:])
