#!/bin/sh
# The official conformance suite of the OCI distribution specification (its directory `conformance/`, current main),
# with everything on, over HTTPS with our CA and sign-in. Fails unless nothing failed, nothing was skipped, nothing was
# disabled and more than 1,000 checks ran.
#
#   tests/conformance.sh [BINARY]
#
# BINARY is the msr-lite to test; the debug build by default.
#
# CONFORMANCE_SUITE   a built suite; otherwise `go install` gets and builds it, once, in the cache
# CONFORMANCE_VERSION the module's version, `main` by default
# CONFORMANCE_RESULTS where the suite's reports go (results.yaml, junit.xml, report.html); a temporary place by default
# CI=true             a machine without Go fails instead of skipping
set -eu

module=github.com/opencontainers/distribution-spec/conformance
version=${CONFORMANCE_VERSION:-main}
least=1000

cd "$(dirname "$0")/.."
binary=${1:-target/debug/msr-lite}
test -x "$binary" || { echo "conformance: $binary is not there: cargo build first" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/msr-lite-conformance-XXXXXX")
server=
finish() {
    status=$?
    trap - EXIT
    if test -n "$server"; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

skip() {
    if test "${CI:-}" = true; then
        echo "conformance: $1, and CI=true skips nothing" >&2
        exit 1
    fi
    echo "conformance: skipped ($1)"
    exit 0
}

# The suite.
suite=${CONFORMANCE_SUITE:-}
if test -z "$suite"; then
    command -v go >/dev/null || skip "Go is not installed"
    bin=${XDG_CACHE_HOME:-${HOME:-$work}/.cache}/msr-lite/conformance/$version
    suite=$bin/conformance
    mkdir -p "$bin"
    # A branch moves: look again every time, and use what is there when nobody answers.
    if ! GOBIN=$bin go install "$module@$version" 2>"$work/go"; then
        test -x "$suite" || { cat "$work/go" >&2; skip "the suite is not to be had here: go install $module@$version"; }
        echo "conformance: go install $module@$version failed; using the suite built before" >&2
    fi
fi
go version -m "$suite" 2>/dev/null | awk '$1 == "mod" { print "conformance: suite " $2 " " $3 }'

# Our server, on a port below the ephemeral ones and of this process alone.
port=$((20000 + $$ % 12000))
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$work/password"
"$binary" serve --data-dir "$work/data" --listen "127.0.0.1:$port" --fqdn registry.lab \
    --admin-password-file "$work/password" >"$work/log" 2>&1 &
server=$!
ca=$work/data/pki/ca.crt
tries=0
until test -s "$ca" && curl --silent --output /dev/null --cacert "$ca" "https://localhost:$port/v2/"; do
    tries=$((tries + 1))
    if test $tries -gt 150 || ! kill -0 "$server" 2>/dev/null; then
        echo "conformance: the server does not answer:" >&2
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.2
done

# Every switch, also those that the version turns on: a new default of the suite cannot turn one off unseen.
for switch in \
    API_PING API_PULL API_PUSH API_BLOBS_ATOMIC API_BLOBS_DELETE API_BLOBS_DIGEST_HEADER API_BLOBS_MOUNT_ANONYMOUS \
    API_BLOBS_UPLOAD_CANCEL API_MANIFESTS_ATOMIC API_MANIFESTS_DELETE API_MANIFESTS_DIGEST_HEADER \
    API_MANIFESTS_TAG_PARAM API_TAGS_ATOMIC API_TAGS_DELETE API_TAGS_LIST API_REFERRER \
    DATA_IMAGE DATA_INDEX DATA_INDEX_LIST DATA_SPARSE DATA_ARTIFACT DATA_SUBJECT DATA_SUBJECT_MISSING \
    DATA_ARTIFACT_LIST DATA_SUBJECT_LIST DATA_DATA_FIELD DATA_NONDISTRIBUTABLE DATA_CUSTOM_FIELDS DATA_NO_LAYERS \
    DATA_EMPTY_BLOB DATA_SHA512
do
    export "OCI_$switch=true"
done
export OCI_VERSION=dev OCI_TLS=enabled OCI_REGISTRY="localhost:$port" SSL_CERT_FILE="$ca"
export OCI_USERNAME=admin OCI_PASSWORD="$(cat "$work/password")"
export OCI_REPO1=conformance/repo1 OCI_REPO2=conformance/repo2
export OCI_RESULTS_DIR="${CONFORMANCE_RESULTS:-$work/results}" OCI_CONFIGURATION="$work/none.yaml" OCI_LOG=error
: >"$OCI_CONFIGURATION"
# A proxy of the environment is none between us and ourselves.
unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy

started=$(date +%s)
"$suite" >"$work/report" 2>"$work/complaints" || true
seconds=$(($(date +%s) - started))

# The report: a tree of all checks first, then the settings, the totals and what each API and kind of data came to.
count() {
    awk -v name="$1" '/^OCI Conformance Result:/ { totals = 1 }
        totals && $1 ~ ("^" name "\\.*:?$") { print $NF; exit }' "$work/report"
}
pass=$(count Pass) fail=$(count FAIL) error=$(count Error) skipped=$(count Skip) disabled=$(count Disabled)
if test -z "$pass" || test -z "$fail" || test -z "$skipped"; then
    echo "conformance: the suite wrote no result" >&2
    cat "$work/complaints" "$work/report" >&2
    exit 1
fi
checks=$((pass + fail + ${error:-0} + skipped))

sed -n '/^API conformance:/,$p' "$work/report"
if test "$checks" -ne "$pass"; then
    echo 'What failed or was skipped:'
    # A step with children repeats their verdict: the innermost say why.
    awk '/^Configuration:/ { exit } / - / && bad { print; next } { bad = /: (FAIL|Error|Skip)$/ } bad { print }' \
        "$work/report" | tail -n 400
fi
echo "conformance: $pass passed, $fail failed, ${error:-0} errors, $skipped skipped, ${disabled:-0} disabled" \
    "($checks checks in $seconds s)"
test "$fail" -eq 0 && test "${error:-0}" -eq 0 && test "$skipped" -eq 0 && test "${disabled:-0}" -eq 0 &&
    test "$checks" -gt "$least" || { echo "conformance: that is not enough" >&2; exit 1; }
