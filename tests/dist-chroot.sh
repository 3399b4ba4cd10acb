#!/usr/bin/env bash
# Runs the static binary in a directory that holds nothing else (no libraries, no /etc, no /proc, no /dev) through what
# such a place breaks first: randomness, a sign-in, a push, a pull, and a call to another host.
#
#   BIN=dist/msr-lite tests/dist-chroot.sh
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${BIN:-dist/msr-lite}")
# Below the ephemeral ports, and of this process alone.
port=${PORT:-$((20000 + $$ % 12000))}

skip() {
  if [ "${CI:-}" = true ]; then
    echo "dist-chroot: $1, and CI=true skips nothing" >&2
    exit 1
  fi
  echo "dist-chroot: 0 ran, 1 skipped ($1)"
  exit 0
}
[ "$(id -u)" -eq 0 ] || skip "chroot takes root"
command -v curl > /dev/null || skip "no curl"

# The binary may name no dynamic loader. (readelf would be plainer, but binutils is not everywhere.)
if ldd "$bin" 2>&1 | grep -q '=>'; then
  echo "dist-chroot: $bin is not static:" >&2
  ldd "$bin" >&2
  exit 1
fi

root=$(mktemp -d)
server=
finish() {
  status=$?
  if [ -n "$server" ]; then
    kill "$server" 2> /dev/null || true
    wait "$server" 2> /dev/null || true
  fi
  [ "$status" -eq 0 ] || { echo "--- the server said:" >&2; cat "$root.log" >&2 2> /dev/null || true; }
  rm -rf "$root" "$root.log"
  exit "$status"
}
trap finish EXIT

cp "$bin" "$root/msr-lite"
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s' "$password" > "$root/password"
chroot "$root" /msr-lite serve --data-dir /data --listen "127.0.0.1:$port" --fqdn registry.lab \
  --admin-password-file /password > "$root.log" 2>&1 &
server=$!

ca=$root/data/pki/ca.crt
url=https://localhost:$port
ask() { curl -fsS --max-time 20 --noproxy '*' --cacert "$ca" "$@"; }
for _ in $(seq 100); do
  if [ -s "$ca" ] && curl -s --max-time 2 --noproxy '*' --cacert "$ca" -o /dev/null "$url/v2/"; then break; fi
  kill -0 "$server" || { echo "dist-chroot: the server ended" >&2; exit 1; }
  sleep 0.1
done

echo "sign-in: Basic, and a token"
ask -u "admin:$password" -o /dev/null "$url/v2/"
challenge=$(curl -sS --max-time 20 --noproxy '*' --cacert "$ca" -D - -o /dev/null "$url/v2/" | tr -d '\r')
service=$(printf '%s\n' "$challenge" | sed -n 's/.*service="\([^"]*\)".*/\1/p')
token=$(ask -u "admin:$password" -G --data-urlencode "service=$service" \
  --data-urlencode 'scope=repository:admin/hello:pull,push' "$url/auth/token" |
  sed -n 's/.*"token" *: *"\([^"]*\)".*/\1/p')
[ -n "$token" ]

echo "push: a layer, a config, a manifest"
bearer="Authorization: Bearer $token"
blob() { # FILE: pushes it in one POST and prints its descriptor's digest and size
  local digest
  digest=sha256:$(sha256sum "$1" | cut -d' ' -f1)
  ask -H "$bearer" -H 'Content-Type: application/octet-stream' --data-binary "@$1" -o /dev/null \
    "$url/v2/admin/hello/blobs/uploads/?digest=$digest"
  printf '"digest":"%s","size":%s' "$digest" "$(stat -c %s "$1")"
}
head -c 100000 /dev/urandom > "$root/layer"
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' > "$root/config"
layer=$(blob "$root/layer") config=$(blob "$root/config")
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s",%s},"layers":[{"mediaType":"%s",%s}]}' \
  application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.config.v1+json "$config" \
  application/vnd.oci.image.layer.v1.tar "$layer" > "$root/manifest"
ask -H "$bearer" -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$root/manifest" \
  -o /dev/null "$url/v2/admin/hello/manifests/1.0"

echo "pull: the same bytes"
ask -H "$bearer" "$url/v2/admin/hello/manifests/1.0" | cmp - "$root/manifest"
digest=sha256:$(sha256sum "$root/layer" | cut -d' ' -f1)
ask -H "$bearer" "$url/v2/admin/hello/blobs/$digest" | cmp - "$root/layer"

echo "status: over the administration socket"
chroot "$root" /msr-lite status --data-dir /data > /dev/null

# By name. The system's resolver would obey nsswitch.conf, look for a plug-in that is not there and find nothing; ours
# reads the hosts file. There is no trust store in here, so the check finds that the registry is not trusted (4); what
# counts is that the program resolved the name, connected, and shook hands.
echo "outbound: trust check"
mkdir "$root/etc"
printf 'hosts: absent\n' > "$root/etc/nsswitch.conf"
printf '127.0.0.1 registry.lab\n' > "$root/etc/hosts"
code=0
chroot "$root" /msr-lite trust check --host "registry.lab:$port" --system > "$root/check" || code=$?
if [ "$code" -ne 4 ] || ! grep -q 'does not know the authority CN=msr-lite CA registry.lab' "$root/check"; then
  echo "dist-chroot: trust check ended with $code" >&2
  cat "$root/check" >&2
  exit 1
fi

kill "$server"
wait "$server" || { echo "dist-chroot: the server did not stop cleanly" >&2; exit 1; }
server=
echo "dist-chroot: 1 ran, 0 skipped"
