#!/bin/sh
# Makes this machine trust the registry @AUTHORITY@: puts the certificate of its authority where container tools look.
#
#   sudo sh trust.sh [--only docker,podman,system] [--dry-run] [--uninstall] [--fingerprint SHA256]
#
# Nothing here proves that this file came from the registry. Compare its SHA-256 with the one that the registry's
# administrator shows (`msr-lite trust show`) before you run it, or give --fingerprint, the SHA-256 of ca.crt.
#
# Everything stands in functions and the last line calls them: a download that broke off does nothing.
set -eu

AUTHORITY='@AUTHORITY@'
# The spellings that clients may use for this registry, one per line: with and without the port when it is 443.
SPELLINGS='@SPELLINGS@'
SHA256='@SHA256@'
NAME='msr-lite-@SHORT@'
ROOT=${MSR_LITE_ROOT:-}

certificate() {
    cat <<'END_OF_CERTIFICATE'
@CA_PEM@END_OF_CERTIFICATE
}

say() { printf '%s\n' "$*"; }
fail() { printf 'trust.sh: %s\n' "$*" >&2; exit 1; }

usage() {
    say 'usage: sh trust.sh [--only docker,podman,system] [--dry-run] [--uninstall] [--fingerprint SHA256]'
    say "  without --only: docker and podman (also skopeo, buildah) where they are installed, and the system's store"
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum | cut -d ' ' -f 1
    elif command -v shasum >/dev/null 2>&1; then shasum -a 256 | cut -d ' ' -f 1
    elif command -v openssl >/dev/null 2>&1; then openssl dgst -sha256 -r | cut -d ' ' -f 1
    else fail 'sha256sum, shasum or openssl is needed to check the certificate'
    fi
}

put() { # FILE
    if [ -f "$1" ] && certificate | cmp -s - "$1"; then
        say "in place already: $1"
        return
    fi
    if [ "$dry_run" = yes ]; then
        say "would write: $1"
        return
    fi
    mkdir -p "${1%/*}"
    # Another authority's certificate may stand there; clients read *.crt only.
    if [ -f "$1" ] && [ ! -e "$1.before-msr-lite" ]; then
        mv "$1" "$1.before-msr-lite"
        say "kept: $1.before-msr-lite"
    fi
    certificate >"$1.tmp"
    chmod 644 "$1.tmp"
    mv "$1.tmp" "$1"
    changed=yes
    say "wrote: $1"
}

take() { # FILE
    [ -f "$1" ] || return 0
    if ! certificate | cmp -s - "$1"; then
        say "left alone, it is another certificate: $1"
        return
    fi
    if [ "$dry_run" = yes ]; then
        say "would remove: $1"
        return
    fi
    rm "$1"
    changed=yes
    say "removed: $1"
    if [ -e "$1.before-msr-lite" ]; then
        mv "$1.before-msr-lite" "$1"
        say "put back: $1"
    fi
}

in_directories() { # BASE
    printf '%s\n' "$SPELLINGS" | while IFS= read -r spelling; do
        if [ "$uninstall" = yes ]; then
            take "$1/$spelling/ca.crt"
            # Goes only when nothing else is in it.
            [ "$dry_run" = yes ] || rmdir "$1/$spelling" 2>/dev/null || :
        else
            put "$1/$spelling/ca.crt"
        fi
    done
    if [ "$uninstall" = yes ] && [ "$dry_run" = no ]; then rmdir "$1" 2>/dev/null || :; fi
}

for_docker() {
    in_directories "$ROOT/etc/docker/certs.d"
    say 'docker: nothing to restart. A buildx builder in a container has a store of its own: see the trust page.'
}

for_podman() {
    in_directories "$ROOT/etc/containers/certs.d"
    say 'podman, skopeo, buildah, CRI-O: nothing to restart.'
}

for_system() {
    if [ -d "$ROOT/etc/pki/ca-trust/source/anchors" ]; then
        directory=$ROOT/etc/pki/ca-trust/source/anchors update='update-ca-trust extract'
    elif [ -d "$ROOT/etc/pki/trust/anchors" ]; then
        directory=$ROOT/etc/pki/trust/anchors update=update-ca-certificates
    elif [ -d "$ROOT/usr/local/share/ca-certificates" ] ||
        { [ -z "$ROOT" ] && command -v update-ca-certificates >/dev/null 2>&1; }; then
        directory=$ROOT/usr/local/share/ca-certificates update=update-ca-certificates
    else
        say "system: no store that this script knows; install the package ca-certificates, or use SSL_CERT_FILE"
        [ "$only" = default ] || unknown_store=yes
        return
    fi
    changed=no
    if [ "$uninstall" = yes ]; then take "$directory/$NAME.crt"; else put "$directory/$NAME.crt"; fi
    if [ "$changed" = yes ]; then
        if [ -n "$ROOT" ]; then
            say "system: not running '$update', because MSR_LITE_ROOT is set"
        else
            $update >/dev/null
            say "system: ran '$update'"
        fi
    fi
    say 'system: programs that are running read the store at their start: restart docker and other daemons that need it.'
}

wanted() { # CLIENT
    case ",$only," in
    *",$1,"*) return 0 ;;
    ,default,) ;;
    *) return 1 ;;
    esac
    case $1 in
    docker) [ -d "$ROOT/etc/docker" ] || command -v dockerd >/dev/null 2>&1 || command -v docker >/dev/null 2>&1 ;;
    podman)
        [ -d "$ROOT/etc/containers" ] || command -v podman >/dev/null 2>&1 || command -v skopeo >/dev/null 2>&1 ||
            command -v buildah >/dev/null 2>&1
        ;;
    *) true ;;
    esac
}

main() {
    only=default dry_run=no uninstall=no fingerprint='' changed=no unknown_store=no
    while [ $# -gt 0 ]; do
        case $1 in
        --only) [ $# -ge 2 ] || fail '--only needs a list'; only=$2; shift ;;
        --only=*) only=${1#--only=} ;;
        --fingerprint) [ $# -ge 2 ] || fail '--fingerprint needs a value'; fingerprint=$2; shift
            [ -n "$fingerprint" ] || fail '--fingerprint needs a value' ;;
        --fingerprint=*) fingerprint=${1#--fingerprint=}; [ -n "$fingerprint" ] || fail '--fingerprint needs a value' ;;
        --dry-run) dry_run=yes ;;
        --uninstall) uninstall=yes ;;
        -h | --help) usage; return 0 ;;
        *) usage >&2; fail "unknown: $1" ;;
        esac
        shift
    done
    if [ "$only" != default ]; then
        [ -n "$only" ] || fail '--only needs a list of docker, podman, system'
        for client in $(printf '%s' "$only" | tr ',' ' '); do
            case $client in
            docker | podman | system) ;;
            *) fail "--only knows docker, podman and system, not: $client" ;;
            esac
        done
    fi

    actual=$(certificate | sha256)
    [ "$actual" = "$SHA256" ] || fail 'this file was damaged: its certificate is not the one that it names'
    if [ -n "$fingerprint" ]; then
        given=$(printf '%s' "$fingerprint" | tr -d ': ' | tr 'A-F' 'a-f')
        [ "$given" = "$actual" ] || fail "the certificate in this file is NOT the one you expect
  expected: $given
  found:    $actual
Nothing was written. Ask the registry's administrator for the output of: msr-lite trust show"
    fi
    if [ "$dry_run" = no ] && [ -z "$ROOT" ] && [ "$(id -u)" != 0 ]; then
        fail 'this writes below /etc: run it as root (sudo sh trust.sh), or look first with --dry-run'
    fi

    say "registry $AUTHORITY, SHA-256 of its ca.crt: $actual"
    if wanted docker; then for_docker; fi
    if wanted podman; then for_podman; fi
    if wanted system; then for_system; fi
    [ "$unknown_store" = no ] || exit 1
}

main "$@"
