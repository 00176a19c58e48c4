# SPDX-License-Identifier: Apache-2.0
"""The PromQL of deploy/monitoring: which metrics and labels it uses, and which there are.

Run as a program it looks at everything there without a service: that metrics and labels stand in the worker's table, that
every meter is on the dashboard, that dashboard.json is what make-dashboard prints, that every alert has its texts, its tests
and its section in the runbook, and that the runbook's commands are ones that exportctl has.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy/monitoring"
RUNBOOK = ROOT / "deploy/runbook.md"

# Put there by Prometheus, not by the worker.
TARGET_LABELS = {"job", "instance", "namespace", "pod"}
# From kube-state-metrics, so on no worker's /metrics.
KUBE = {
    "kube_pod_container_status_restarts_total": {"namespace", "pod", "uid", "container"},
    "kube_pod_created": {"namespace", "pod", "uid"},
    "kube_job_created": {"namespace", "job_name"},
    "kube_job_status_active": {"namespace", "job_name"},
    "kube_job_status_start_time": {"namespace", "job_name"},
    "kube_job_status_failed": {"namespace", "job_name", "reason"},
    "kube_job_status_succeeded": {"namespace", "job_name"},
}
SEEDS = ["users_export_duration_seconds", "users_export_batch_duration_seconds", "users_export_group_duration_seconds",
         "users_export_failures_total", "users_export_batch_failures_total", "users_export_batch_processed_total",
         "users_export_invalid_group_type_total", "users_export_csv_processed_total", "users_export_csv_failures_total",
         "export_to_dlq_total"]
KEYWORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "offset", "and", "or", "unless", "bool", "inf", "nan"}

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\s*\{([^}]*)\}")
_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_NAME = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])")
_FAMILY = re.compile(r'\b(COUNTER|HISTOGRAM|GAUGE|NUMBER)\(\s*(".*?)\)\s*,\n', re.S)


def used(expression):
    """({metric: labels that are asked of it}, labels that results are grouped or matched by)"""
    text = _STRING.sub('""', expression)
    metrics, grouped = {}, set()
    for found in _LISTS.finditer(text):
        grouped |= {label.strip() for label in found[1].split(",") if label.strip()}
    text = _LISTS.sub(" ", text)
    for name, inside in _SELECTOR.findall(text):
        labels = {part.strip() for part in re.findall(r'([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)', inside)}
        metrics.setdefault(name, set()).update(labels)
    text = re.sub(r"\[[^\]]*\]|\boffset\s+[-\w$]+", " ", _SELECTOR.sub(" ", text))
    for name in _NAME.findall(text):
        if name.lower() not in KEYWORDS:
            metrics.setdefault(name, set())
    return metrics, grouped


def family_of(metric):
    """The histogram of a _bucket, _sum or _count; else the metric itself."""
    return re.sub(r"_(bucket|sum|count)$", "", metric)


def table():
    """{family: labels} from the worker's own tables."""
    found = {}
    for kind, arguments in _FAMILY.findall((ROOT / "src/worker/meter_table.c").read_text()):
        name, _, *labels = re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r'"\s*"', "", arguments))
        found[name] = set(labels) | ({"le"} if kind == "HISTOGRAM" else set())
    for name in re.findall(r'\.name = "(process_\w+)"', (ROOT / "src/metrics/process.c").read_text()):
        found[name] = set()
    return found


def dashboard():
    return json.loads((MONITORING / "dashboard.json").read_text())


def dashboard_queries():
    """[(panel, legend, query)]"""
    return [(panel["title"], target["legendFormat"], target["expr"])
            for panel in dashboard()["panels"] for target in panel.get("targets", [])]


def substituted(expression, window="2m", **values):
    """With the variables of Grafana replaced."""
    for name, value in {"__rate_interval": window, "__range": window, "__interval": window, "job": ".*", "namespace": ".*",
                        "group": ".*", **values}.items():
        expression = expression.replace(f"${name}", value)
    return expression


def problems_of(where, expression, known):
    """What `expression` asks for and is not there; `known`: {metric or family: labels}."""
    metrics, grouped = used(expression)
    found, offered = [], set(TARGET_LABELS)
    if not metrics:
        found.append(f"{where}: no metric in {expression}")
    for metric, labels in metrics.items():
        has = known.get(metric, known.get(family_of(metric)))
        if has is None:
            found.append(f"{where}: there is no metric {metric}")
            continue
        offered |= has
        found += [f"{where}: {metric} has no label {label}" for label in sorted(labels - has - TARGET_LABELS)]
    return found + [f"{where}: no metric there has the label {label}" for label in sorted(grouped - offered)]


# ---- everything that needs no service

def _check_dashboard(known):
    found = []
    made = subprocess.run([sys.executable, MONITORING / "make-dashboard"], capture_output=True, text=True, check=True).stdout
    if made != (MONITORING / "dashboard.json").read_text():
        found.append("dashboard.json is not what make-dashboard prints")
    shown = set()
    for panel, _, expression in dashboard_queries():
        found += problems_of(f"panel '{panel}'", expression, {**known, **KUBE})
        shown |= {family_of(metric) if metric not in known else metric for metric in used(expression)[0]}
    found += [f"no panel shows {name}" for name in sorted({*known, *SEEDS} - shown - {"process_virtual_memory_bytes"})]
    return found


def _check_alerts(known):
    import yaml  # Debian's python3-yaml; the rest of this module does without

    found = []
    rules = [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    known = {**known, **KUBE, "up": set(), **{rule["record"]: set() for rule in rules if "record" in rule}}
    tests = [test for file in ("alerts_test.yml", "alerts_daily_test.yml")
             for block in yaml.safe_load((MONITORING / file).read_text())["tests"] for test in block["alert_rule_test"]]
    sections = {line[4:].strip().lower() for line in RUNBOOK.read_text().splitlines() if line.startswith("### ")}
    alerts = [rule for rule in rules if "alert" in rule]
    for rule in rules:
        found += problems_of(rule.get("alert") or rule["record"], rule["expr"], known)
    for rule in alerts:
        name, notes = rule["alert"], rule.get("annotations", {})
        if rule.get("labels", {}).get("severity") not in ("critical", "warning"):
            found.append(f"{name}: no severity")
        found += [f"{name}: no {key}" for key in ("summary", "description") if not notes.get(key)]
        if notes.get("runbook") != f"deploy/runbook.md#{name.lower()}" or name.lower() not in sections:
            found.append(f"{name}: its annotation runbook and a section '### {name}' of the runbook do not agree")
        if not re.fullmatch(rf"https://\S+/deploy/runbook\.md#{name.lower()}", notes.get("runbook_url", "")):
            found.append(f"{name}: its annotation runbook_url is no address of its section")
        quiet = [test for test in tests if test["alertname"] == name and not test["exp_alerts"]]
        firing = [test for test in tests if test["alertname"] == name and test["exp_alerts"]]
        if len(quiet) < 2 or not firing:
            found.append(f"{name}: tests where it fires and tests where it is quiet are wanted")
    wanted = {rule["alert"].lower() for rule in alerts}
    return found + [f"the runbook has a section for no alert: {name}" for name in sorted(sections - wanted)
                    if name.startswith("usersexport")]


def _check_commands():
    source = (ROOT / "src/ctl/subcommand_table.c").read_text()
    subcommands = set(re.findall(r'\.name = "([a-z ]+)"', source))
    flags = set(re.findall(r'\{"(--[a-z-]+)"', source)) | {"--output", "--all", "--group", "--error", "--since", "--until"}
    found, text = [], RUNBOOK.read_text()
    for command in re.findall(r"\bexportctl ([a-z][^\n|`>]*)", text):
        words = command.split(" #")[0].split()
        if not ({" ".join(words[:2]), words[0]} & subcommands):
            found.append(f"the runbook: exportctl has no subcommand '{command}'")
        found += [f"the runbook: no subcommand has {word}: {command}" for word in words if word.startswith("--") and word not in flags]
    return found if "exportctl" in text else ["the runbook names no command"]


def main():
    known = table()
    problems = {"dashboard": lambda: _check_dashboard(known), "alerts": lambda: _check_alerts(known),
                "commands": _check_commands}[sys.argv[1]]()
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
