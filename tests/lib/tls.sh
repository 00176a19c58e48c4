# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: the programs with everything over TLS, on services of their own that are set up as production's
# are; what is shipped (topics, rights, the bucket's policy) is what they are given.

# shellcheck source=/dev/null
. deploy/lib/fetch.sh

UEX_KAFKA_BEFORE=3.9.1 # librdkafka before 2.6.1 cannot do SCRAM with Kafka 4
UEX_TLS_LIMIT=2400

tls_venv() { printf '%s/tls-venv-%s\n' "$UEX_CACHE" "$( (python3 --version && cat tests/tls/requirements.txt) | sha256sum | cut -c1-12)"; }

fill_tls_venv() { python3 -m venv --clear "$1" && "$1/bin/pip" install -q --disable-pip-version-check -r tests/tls/requirements.txt && touch "$1/.complete"; }

prepare_tls() {
    local libs="$UEX_CACHE/kafka-$UEX_KAFKA_BEFORE"
    [ -e "$1/.complete" ] || run_logged "Python packages of the TLS tests" "$UEX_CACHE/log/tls-venv.log" fill_tls_venv "$1" || return 1
    [ ! -e "$libs/.complete" ] || return 0
    run_logged "Apache Kafka $UEX_KAFKA_BEFORE from Maven Central" "$UEX_CACHE/log/kafka-$UEX_KAFKA_BEFORE.log" \
        mvn -B -ntp -f deploy/lib/kafka-pom.xml -Dkafka.version="$UEX_KAFKA_BEFORE" dependency:copy-dependencies -DoutputDirectory="$libs" &&
        touch "$libs/.complete"
}

part_tls() {
    local venv rc=0 report="$RUN_DIR/tls.xml" select=()
    build_preset release "$RUN_DIR/build-release.log" || return 1
    packages_install run tests || return 1
    fetch_all
    venv=$(tls_venv)
    with_lock tls-tools prepare_tls "$venv" || return 1
    [ ${#NAMES[@]} = 0 ] || select=(-k "$(printf ' or %s' "${NAMES[@]}" | cut -c5-)")
    timeout --foreground -s INT -k 30 "$UEX_TLS_LIMIT" \
        env USERS_EXPORT_BIN="$PWD/build/release/bin" USERS_EXPORT_CACHE="$UEX_CACHE" "$venv/bin/python" -m pytest tests/tls -c tests/tls/pytest.ini \
        -v --no-header --tb=short --durations=10 -p no:cacheprovider --junitxml="$report" "${select[@]}" || rc=$?
    [ -e "$report" ] && count_pytest "$report" || return 1
    [ "$rc" = 0 ]
}
