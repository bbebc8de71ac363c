#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build needs (Debian), builds to build/, runs the daemon on conf/quickstart.conf.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: packaging/quickstart.sh [--build-only | --install-only]

Installs the packages that are missing, builds nsaddrd to build/ and runs it in the foreground
with conf/quickstart.conf until Ctrl-C.

  --build-only     stop after the build
  --install-only   stop after installing the packages
  -h, --help       this text

Environment:
  PORT             port of the address server (default 8080)
  ADMIN_PORT       port of the admin listener (default PORT + 1)
TEXT
}

say() {
    printf 'quickstart: %s\n' "$*"
}

fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

stop_after=
for argument in "$@"; do
    case $argument in
    --build-only) stop_after=build ;;
    --install-only) stop_after=install ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 64
        ;;
    esac
done

port=${PORT:-8080}
admin_port=${ADMIN_PORT:-$((port + 1))}

cd "$(dirname "$0")/.."

# --- what is missing ------------------------------------------------------------------------------

# Debian's packages for: command:package, pkg-config module=package, header<package.
needs="gcc:gcc cmake:cmake ninja:ninja-build pkg-config:pkg-config curl:curl
    libmicrohttpd=libmicrohttpd-dev libcurl=libcurl4-openssl-dev libcjson=libcjson-dev
    libconfig=libconfig-dev stdio.h<libc6-dev uthash.h<uthash-dev"

has_header() {
    gcc -E -x c - >/dev/null 2>&1 <<<"#include <$1>"
}

missing_packages() {
    local need
    for need in $needs; do
        case $need in
        *:*) command -v "${need%%:*}" >/dev/null || echo "${need#*:}" ;;
        *=*) pkg-config --exists "${need%%=*}" 2>/dev/null || echo "${need#*=}" ;;
        *'<'*) has_header "${need%%<*}" || echo "${need#*<}" ;;
        esac
    done
}

install_missing() {
    local missing log as_root=
    missing=$(missing_packages | tr '\n' ' ')
    if [ -z "$missing" ]; then
        say "everything the build needs is installed"
        return
    fi
    if ! command -v apt-get >/dev/null; then
        fail "this is not a Debian system. Please install with your package manager what these" \
            "Debian packages hold, then run this again: $missing"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "not root and no sudo. Please run as root: apt-get install $missing"
        as_root=sudo
    fi
    say "installing: $missing"
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words on purpose; $as_root may be empty
    if ! {
        $as_root apt-get -q update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 \
                install -y --no-install-recommends $missing
    } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "apt-get failed. Please install by hand: $missing"
    fi
    rm -f "$log"
    missing=$(missing_packages | tr '\n' ' ')
    [ -z "$missing" ] || fail "still missing after the installation: $missing"
}

# --- build ----------------------------------------------------------------------------------------

build() {
    local fresh=()
    if [ -f build/CMakeCache.txt ] && ! grep -q '^CMAKE_GENERATOR:INTERNAL=Ninja$' build/CMakeCache.txt; then
        fresh=(--fresh)
    fi
    say "building to build/"
    mkdir -p build
    if ! {
        cmake "${fresh[@]}" -S . -B build -G Ninja &&
            cmake --build build --target nsaddrd
    } >build/quickstart.log 2>&1; then
        cat build/quickstart.log >&2
        fail "the build failed; its output is above and in build/quickstart.log"
    fi
    say "built build/nsaddrd"
}

# --- run ------------------------------------------------------------------------------------------

taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

run() {
    case $port$admin_port in
    *[!0-9]*) fail "PORT and ADMIN_PORT are numbers, not '$port' and '$admin_port'" ;;
    esac
    if taken "$port"; then
        fail "port $port is in use. Try another: PORT=18080 ./packaging/quickstart.sh"
    fi
    if taken "$admin_port"; then
        fail "port $admin_port is in use. Try another: ADMIN_PORT=18081 ./packaging/quickstart.sh"
    fi
    cat <<TEXT

nsaddrd runs in the foreground; Ctrl-C stops it. Try in another terminal:

  curl http://127.0.0.1:$port/rocketmq/demo       the list of the demo cluster
  curl -i http://127.0.0.1:$port/rocketmq/other   an unknown cluster: an error without a body
  curl -i http://127.0.0.1:$port/healthz          200 while the daemon lives

TEXT
    exec build/nsaddrd -c conf/quickstart.conf \
        -o "listen=127.0.0.1:$port" -o "admin.listen=127.0.0.1:$admin_port"
}

install_missing
[ "$stop_after" != install ] || exit 0
build
[ "$stop_after" != build ] || exit 0
run
