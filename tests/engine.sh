#!/bin/sh
# Makes sure that a Docker Engine answers on this machine; says what it did. Idempotent.
# Usage: tests/engine.sh [LOG_FOLDER]
# When none answers, and we are root, it starts dockerd with the stand-in GPU hook first on its PATH (so that GPU
# requests are accepted without a GPU) in a session of its own: it outlives the caller. An engine that runs already
# is left as it is, with or without the hook. Exit 1: no engine, with the reason.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
logs=${1:-${TMPDIR:-/tmp}/berth-engine}
lock=${TMPDIR:-/tmp}/berth-engine.lock

answers() { timeout 10 docker info >/dev/null 2>&1; }
fail() { echo "engine: $*" >&2; exit 1; }

command -v docker >/dev/null || fail "the docker command is missing; install it with: apt-get install docker.io"
if answers; then
    echo "engine: a Docker Engine answers already (version $(docker info --format '{{.ServerVersion}}'))"
    exit 0
fi
command -v dockerd >/dev/null || fail "no engine answers and dockerd is missing; install it with: apt-get install docker.io"
[ "$(id -u)" = 0 ] || fail "no engine answers; start it (sudo systemctl start docker), or run this script as root"

# Two callers at once must not start two engines: the second waits for the first.
exec 9>"$lock"
flock 9
if answers; then
    echo "engine: a Docker Engine answers already"
    exit 0
fi
mkdir -p "$logs"
echo "engine: starting dockerd with the stand-in GPU hook; its log is $logs/dockerd.log"
[ -n "${BERTH_HOOK_LOG:-}" ] || BERTH_HOOK_LOG=$logs/hook.log
export BERTH_HOOK_LOG
PATH="$here/stand-ins:$PATH" nohup setsid dockerd >"$logs/dockerd.log" 2>&1 </dev/null 9>&- &
started=$!

waited=0
while ! answers; do
    waited=$((waited + 1))
    # setsid may have forked, so the engine is looked for by its answer and given up by time only.
    if [ "$waited" -ge 120 ] || { ! kill -0 "$started" 2>/dev/null && [ "$waited" -ge 10 ]; }; then
        tail -n 20 "$logs/dockerd.log" >&2
        fail "dockerd did not answer; the last lines of its log are above"
    fi
    sleep 0.5
done
echo "engine: dockerd $(docker info --format '{{.ServerVersion}}') answers"
