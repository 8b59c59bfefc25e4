#!/bin/sh
# Builds the notebook image as notebook:latest, or does nothing when it is there and was built from the same inputs.
# Usage: images/notebook/build.sh [TAG]
# BASE names a base image; without it a minimal Debian is made by mmdebstrap, so that no registry is needed.
# pip's settings (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST, PIP_DEFAULT_TIMEOUT) are carried over from the
# environment, and this machine's certificate bundle is believed inside while building.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
tag=${1:-notebook:latest}
ca=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
inputs=$(cat "$here/Dockerfile" "$here/requirements.txt" "$here/build.sh" | sha256sum | cut -c1-16)

say() { echo "notebook image: $*"; }
fail() { echo "notebook image: $*" >&2; exit 1; }

docker info >/dev/null 2>&1 || fail "no Docker Engine answers; tests/engine.sh starts one"
if [ "$(docker image inspect --format '{{index .Config.Labels "berth.inputs"}}' "$tag" 2>/dev/null)" = "$inputs" ]; then
    say "$tag is up to date"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=${BASE:-}
if [ -z "$base" ]; then
    base=berth-base:bookworm
    if ! docker image inspect "$base" >/dev/null 2>&1; then
        command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing; install it with: apt-get install mmdebstrap"
        say "making a base image with mmdebstrap (about 20 s)"
        mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv,tini \
            --aptopt='Acquire::Check-Valid-Until "false"' \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            bookworm "$work/base.tar" || fail "mmdebstrap failed"
        docker import "$work/base.tar" "$base" >/dev/null
        rm "$work/base.tar"
    fi
fi

cp "$here/Dockerfile" "$here/requirements.txt" "$work/"
[ ! -r "$ca" ] || cp "$ca" "$work/extra-ca.crt"
set --
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || set -- "$@" --build-arg "$name=$value"
done
say "installing JupyterHub and JupyterLab (about 60 s)"
# The old builder: it is part of every engine, and knows --network host without privileges of its own.
DOCKER_BUILDKIT=0 docker build --quiet --network host --build-arg "BASE=$base" "$@" \
    --label "berth.inputs=$inputs" --tag "$tag" "$work" >"$work/build.log" 2>&1 || {
    tail -n 30 "$work/build.log" >&2
    fail "the build failed; the last lines are above"
}
say "$tag is ready"
