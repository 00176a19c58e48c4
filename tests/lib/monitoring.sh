# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the rules, the dashboard and the runbook, looked at without a service. Against a real Prometheus
# that has scraped a real worker they are tried in tests/integration/test_monitoring.py.

UEX_QUERIES=tests/integration/support/queries.py

# Rules that see no births of series have to fail the tests; otherwise these test nothing.
monitoring_tests_bite() {
    mkdir -p "$RUN_DIR/monitoring"
    sed -E 's/(unless [a-z_]+) offset [0-9a-z]+/\1/' deploy/monitoring/alerts.yml >"$RUN_DIR/monitoring/alerts.yml"
    cp deploy/monitoring/alerts_test.yml "$RUN_DIR/monitoring/"
    ! cmp -s "$RUN_DIR/monitoring/alerts.yml" deploy/monitoring/alerts.yml &&
        promtool check rules "$RUN_DIR/monitoring/alerts.yml" && ! promtool test rules "$RUN_DIR/monitoring/alerts_test.yml"
}

part_monitoring() {
    packages_install tests || return 1
    check "promtool check rules" promtool check rules deploy/monitoring/alerts.yml
    check "promtool test rules" promtool test rules deploy/monitoring/alerts_test.yml deploy/monitoring/alerts_daily_test.yml
    check "these tests find rules that see no births" monitoring_tests_bite
    # Debian's own Python has what reads YAML: yamllint brings it.
    check "dashboard: made by make-dashboard, every metric and label is a worker's, every meter is shown" /usr/bin/python3 "$UEX_QUERIES" dashboard
    check "alerts: texts, tests, metrics, and a section of the runbook each" /usr/bin/python3 "$UEX_QUERIES" alerts
    check "runbook: its commands are exportctl's" /usr/bin/python3 "$UEX_QUERIES" commands
}
