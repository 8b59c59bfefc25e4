# Sourced by ./run, ./test and .ci/run: which Debian packages each needs, and how they come onto the machine.
# need_packages GROUP... installs what is missing as root or with passwordless sudo; otherwise it prints the one line
# to type and exits 1. Groups: build docker-image tests lint fuzz bench bench-gpu.

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { echo "error: $*" >&2; exit 1; }

os_id() { (. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID:-}") || echo unknown; }

# Debian 12 carries Boost 1.81 beside its default, Ubuntu 24.04 carries 1.83; other releases: what apt offers.
boost_version() {
    case $(os_id) in
        "debian 12") echo 1.81 ;;
        "ubuntu 24.04") echo 1.83 ;;
        *) apt-cache search --names-only '^libboost-url1\.[0-9]+-dev$' 2>/dev/null |
            sed -n 's/^libboost-url\(1\.[0-9]*\)-dev.*/\1/p' | sort -V | tail -n 1 ;;
    esac
}

packages_of() {
    case $1 in
        build)
            boost=$(boost_version)
            echo "g++ cmake ninja-build ccache pkg-config ca-certificates python3 python3-venv" \
                "libboost${boost}-dev libboost-json${boost}-dev libboost-url${boost}-dev libsodium-dev libarchive-dev libbrotli-dev libcurl4-openssl-dev zlib1g-dev libssl-dev libsqlite3-dev" \
                "libsoci-dev libspdlog-dev libyaml-cpp-dev libcli11-dev prometheus-cpp-dev libgtest-dev libgmock-dev"
            # Node is often there from elsewhere (nodesource, nvm), and then Debian's would be in its way.
            command -v node >/dev/null && command -v npm >/dev/null || echo "nodejs npm"
            ;;
        docker-image) command -v mmdebstrap >/dev/null || echo mmdebstrap ;;
        tests)
            echo "procps curl git openssl busybox-static prometheus"
            # A docker command alone is no engine; one that answers may be elsewhere (DOCKER_HOST).
            command -v dockerd >/dev/null || timeout 5 docker version >/dev/null 2>&1 || echo "docker.io iptables"
            # Ubuntu's chromium package is a snap; there ./test takes Playwright's own Chromium.
            case $(os_id) in
                debian*) command -v chromium >/dev/null || command -v google-chrome >/dev/null || echo chromium ;;
            esac
            ;;
        lint) echo "clang-format-19 clang-tidy-19 clang-19" ;;
        fuzz) echo "clang-19 libclang-rt-19-dev" ;;
        bench)
            echo "wrk openssl"
            command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || echo nginx-light
            command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || echo haproxy
            ;;
        bench-gpu) echo "wrk redis-server munge slurmctld slurmd slurm-client" ;;
    esac
}

missing_packages() {
    for group in "$@"; do
        for package in $(packages_of "$group"); do
            dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
        done
    done
}

need_packages() {
    command -v dpkg-query >/dev/null || {
        echo "This is not Debian or Ubuntu; these packages (or what your system calls them) must be there:" \
            $(for group in "$@"; do packages_of "$group"; done) >&2
        return 0
    }
    missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "These Debian packages are missing. Type this line once, then start again:" >&2
        echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
        exit 1
    fi
    say "Installing $(echo "$missing" | wc -w) Debian packages: $missing"
    $as_root apt-get update -qq >&2 || fail "apt-get update failed; its message is above"
    # dpkg's fsync of every file is for machines that somebody keeps.
    careless=
    { [ "${CI:-}" = true ] || [ -f /.dockerenv ]; } && careless="-o Dpkg::Options::=--force-unsafe-io"
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $careless $missing >&2 ||
        fail "apt-get install failed; its message is above"
}

# Jobs that fit: a translation unit with Asio coroutines takes up to 1.2 GiB.
build_jobs() {
    cores=$(nproc)
    by_memory=$(awk '/MemAvailable/ {print int($2 / 1258291)}' /proc/meminfo)
    [ "$by_memory" -ge 1 ] || by_memory=1
    [ "$by_memory" -lt "$cores" ] && echo "$by_memory" || echo "$cores"
}

# ccache sees through time stamps and the precompiled header.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

# build_preset PRESET TARGET...: configures once, then lets ninja find what to do, and say how far it is.
build_preset() {
    preset=$1
    shift
    if [ ! -f "build/$preset/build.ninja" ]; then
        say "Configuring ($preset)"
        cmake --preset "$preset" ${BERTH_CMAKE_ARGS:-} >"build/$preset-configure.log" 2>&1 || {
            tail -n 30 "build/$preset-configure.log" >&2
            fail "CMake could not configure; the end of build/$preset-configure.log is above"
        }
    fi
    NINJA_STATUS="[%f/%t, %es] " ninja -C "build/$preset" -j "$(build_jobs)" "$@" >&2 || fail "the build failed; see above"
}
