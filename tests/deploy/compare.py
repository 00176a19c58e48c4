# SPDX-License-Identifier: Apache-2.0
"""Are the objects that Helm and Kustomize make the same? compare.py HELM KUSTOMIZE: two files of YAML documents.

What may differ: who manages them, the chart's label, how a change of the configuration restarts the pods (a checksum as
annotation, a hash in the ConfigMap's name), text or base64 in a Secret, white space in an expression of PromQL.
"""
import base64
import re
import sys

import yaml

HASHED = re.compile(r"^(users-export(?:-config)?)-[0-9a-z]{10}$")


def cleaned(value, key=""):
    if isinstance(value, dict):
        if key == "labels":
            value = {k: v for k, v in value.items() if k not in ("app.kubernetes.io/managed-by", "helm.sh/chart")}
        if key == "annotations":
            value = {k: v for k, v in value.items() if k != "checksum/config"}
        found = {k: cleaned(v, k) for k, v in value.items()}
        return {k: v for k, v in found.items() if v not in ({}, None)}
    if isinstance(value, list):
        items = [cleaned(item, key) for item in value]
        if key in ("env", "volumes", "volumeMounts", "sources") and all(isinstance(item, dict) for item in items):
            items.sort(key=lambda item: str(item.get("mountPath") or item.get("name") or item))
        return items
    if isinstance(value, str):
        value = HASHED.sub(r"\1", value)
        if key == "expr":  # PromQL: Kustomize folds its lines anew
            value = " ".join(value.split())
        return value.rstrip("\n")
    return value


def load(path):
    objects = {}
    with open(path, encoding="utf-8") as file:
        for found in yaml.safe_load_all(file):
            if not found:
                continue
            if found["kind"] == "Secret":
                plain = found.pop("stringData", {})
                found["data"] = {**{k: base64.b64decode(v).decode() for k, v in found.get("data", {}).items()}, **plain}
            found = cleaned(found)
            if found["kind"] == "Namespace":
                labels = found["metadata"]["labels"]
                found["metadata"]["labels"] = {k: v for k, v in labels.items() if k.startswith("pod-security")}
            objects[found["kind"], found["metadata"]["name"]] = found
    return objects


def differences(left, right, path=""):
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            yield from differences(left.get(key), right.get(key), f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right)):
            yield from differences(one, other, f"{path}[{index}]")
    elif left != right:
        yield f"{path}: Helm has {left!r}, Kustomize has {right!r}"


def main(helm_path, kustomize_path):
    helm, kustomize = load(helm_path), load(kustomize_path)
    found = [f"only {who} has {' '.join(name)}" for who, mine, other in
             (("Helm", helm, kustomize), ("Kustomize", kustomize, helm)) for name in sorted(set(mine) - set(other))]
    for name in sorted(set(helm) & set(kustomize)):
        found += [f"{' '.join(name)}{line}" for line in differences(helm[name], kustomize[name])]
    print("\n".join(found) or f"{len(helm)} objects are the same")
    return 1 if found or not helm else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
