#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds, and runs all tests. See --help.
#
# shellcheck disable=SC2317 # check_tier calls functions by their name
set -uo pipefail
exec </dev/null
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
unset NSADDRD_BIN

usage() {
    cat <<'TEXT'
Usage: tests/run.sh [--require-real] [--long] [--only TIER]...

Installs what the tests need (Debian packages, by root or sudo), builds, runs the tiers below and
ends with a table and a line "nsaddrd: N passed, N failed". Exit 1 if anything failed.

  build         gcc and clang, warnings are errors
  lint          include directions, banned calls, documented options and flags, man pages, completion,
                links, translations, format, clang-tidy, shellcheck
  monitoring    are the alerts and the dashboard good, and about metrics that there are? (promtool)
  unit          unit tests and scenarios (ctest)
  unit-san      the same under AddressSanitizer and UndefinedBehaviorSanitizer
  validator     does the validator of histories find what breaks a promise, and nothing else?
  schedules     random schedules of the source in virtual time; the validator judges each
  torture       each call that can fail fails once, each write is killed once (with sanitizers)
  daemon        the whole daemon against a fake Consul (pytest)
  daemon-san    the same under AddressSanitizer and UndefinedBehaviorSanitizer
  daemon-tsan   the same under ThreadSanitizer
  browser       the status page in headless Chromium
  http          HTTP/1.1 case by case, also through fabio, and the bytes of each family of clients
  http-san      the same under AddressSanitizer and UndefinedBehaviorSanitizer
  faults        every fault of Consul in every phase, the validator watching
  faults-san    the same under AddressSanitizer and UndefinedBehaviorSanitizer
  chaos         random schedules of the whole daemon, clocks that jump (with sanitizers)
  fuzz          what peers, files and people give us, mutated for 60 s per parser (libFuzzer, with
                sanitizers); first all inputs that are kept
  coverage      the branches that unit, torture and daemon tests take; fails below 90 %, and below
                100 % of admission and state
  packages      what is shipped: hardening, units, .deb, container image; all of it installed and run
                in fresh Debian 12 roots, and built twice to the same bytes (only as root)
  real          Consul, fabio, Nomad (only as root), RocketMQ and its clients; needs Go >= 1.25, a
                JDK >= 17 and Maven
  bench         the benchmarks, beside nginx and Go and on the real systems (only with --long or
                --only bench)
  cleanroot     quickstart and unit tests in a fresh Debian 12 root file system (only with --long
                or --only cleanroot, and only as root)

  --require-real   fail at once if something that is wanted cannot run (the real systems; without
                   root packages, cleanroot and Nomad), instead of leaving it out
  --long           run bench and cleanroot too, and more of what else is only a part: 100,000
                   schedules of the source and 1,000 of the daemon, each call stack of each scenario
                   and of the daemon for torture, 50 leader elections, an hour of each parser for
                   fuzz
  --only TIER      run only this tier and the builds it needs; may be repeated or a,b,c

Environment: NSADDRD_SEED is the first seed of the random schedules of the source (default 1), and
the only one of those of the daemon (default: 1 to 200). One that fails is printed with the command
that replays it. NSADDRD_FUZZ_SECONDS is how long fuzz searches per parser (0: it only replays).
NSADDRD_TEST_CACHE (default ${XDG_CACHE_HOME:-~/.cache}/nsaddrd-tests) is where the
real systems and the Python environment are kept, so that only the first run pays for them.
TEXT
}

say() {
    printf '\n== %s\n' "$*"
}

# --- arguments ------------------------------------------------------------------------------------

every_tier="build lint monitoring unit unit-san validator schedules torture daemon daemon-san"
every_tier="$every_tier daemon-tsan browser http http-san faults faults-san chaos fuzz coverage packages"
every_tier="$every_tier real bench cleanroot"
tiers=
require_real=no
long=no
while [ $# -gt 0 ]; do
    case $1 in
    --require-real) require_real=yes ;;
    --long) long=yes ;;
    --only)
        [ $# -gt 1 ] || { usage >&2 && exit 64; }
        tiers="$tiers ${2//,/ }"
        shift
        ;;
    --only=*)
        value=${1#--only=}
        tiers="$tiers ${value//,/ }"
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 64
        ;;
    esac
    shift
done
for tier in $tiers; do
    case " $every_tier " in
    *" $tier "*) ;;
    *)
        printf 'run.sh: no tier "%s"; there are: %s\n' "$tier" "$every_tier" >&2
        exit 64
        ;;
    esac
done
if [ -z "$tiers" ]; then
    tiers=$every_tier
    [ "$long" = yes ] || tiers=${tiers/bench cleanroot/}
fi

wanted() {
    local tier
    for tier in "$@"; do
        case " $tiers " in
        *" $tier "*) return 0 ;;
        esac
    done
    return 1
}

cd "$(dirname "$0")/.." || exit 1
root=$PWD
cache=${NSADDRD_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nsaddrd-tests}
export NSADDRD_TEST_CACHE=$cache
reports=$root/build/reports
jobs=$(nproc)
mkdir -p "$cache" "$reports" || exit 1
rm -f "$reports"/*.xml

# --- the real tier's tools ------------------------------------------------------------------------

# version_at_least HAVE WANT: both as major[.minor].
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

missing_for_real() {
    local version
    version=$(go env GOVERSION 2>/dev/null | sed 's/^go//')
    if [ -z "$version" ]; then
        echo "Go >= 1.25 (go is not in PATH)"
    elif ! version_at_least "$version" 1.25; then
        echo "Go >= 1.25 (found $version)"
    fi
    version=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
    if [ -z "$version" ]; then
        echo "a JDK >= 17 (javac is not in PATH)"
    elif ! version_at_least "$version" 17; then
        echo "a JDK >= 17 (found $version)"
    fi
    command -v mvn >/dev/null || echo "Maven (mvn is not in PATH)"
}

real_missing=
if wanted http http-san faults faults-san real bench; then
    real_missing=$(missing_for_real)
    if wanted real bench && [ -n "$real_missing" ] && [ "$require_real" = yes ]; then
        printf 'run.sh: --require-real, but these are missing:\n' >&2
        printf '  %s\n' "${real_missing//$'\n'/$'\n'  }" >&2
        exit 1
    fi
fi

# is_root: what takes root is left out without it.
is_root() {
    [ "$(id -u)" -eq 0 ]
}

if [ "$require_real" = yes ] && ! is_root && wanted packages real bench cleanroot; then
    echo "run.sh: --require-real, but packages, cleanroot and Nomad take root" >&2
    exit 1
fi

# --- packages -------------------------------------------------------------------------------------

is_debian=no
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    is_debian=yes
fi

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Each argument is package or command:package (nothing to do if the command is there).
install_packages() {
    local need missing="" as_root=""
    for need in "$@"; do
        case $need in
        *:*) command -v "${need%%:*}" >/dev/null || missing="$missing ${need#*:}" ;;
        *) [ "$is_debian" = no ] || installed "$need" || missing="$missing $need" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    if [ "$is_debian" = no ]; then
        printf 'run.sh: this is not Debian; please install what these packages hold:%s\n' "$missing" >&2
        return 1
    fi
    if ! is_root; then
        as_root=sudo
        if ! command -v sudo >/dev/null; then
            printf 'run.sh: not root and no sudo; please run: apt-get install%s\n' "$missing" >&2
            return 1
        fi
    fi
    say "installing:$missing"
    # shellcheck disable=SC2086 # a list of words on purpose; $as_root may be empty
    if ! {
        $as_root apt-get -q update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 \
                install -y --no-install-recommends $missing
    } >"$reports/install.log" 2>&1; then
        cat "$reports/install.log" >&2
        return 1
    fi
}

python=
find_python() {
    local candidate
    for candidate in "$@"; do
        if "$candidate" -c 'import sys, pytest
ok = sys.version_info >= (3, 11) and int(pytest.__version__.split(".")[0]) >= 7
sys.exit(not ok)' 2>/dev/null; then
            python=$candidate
            return 0
        fi
    done
    return 1
}

# Debian's own pytest if it can be had, else any interpreter that has one, else one of our own.
install_pytest() {
    find_python /usr/bin/python3 && return
    if [ "$is_debian" = yes ] && install_packages python3 python3-pytest; then
        find_python /usr/bin/python3 && return
    fi
    find_python python3 "$cache/venv/bin/python" && return
    say "installing pytest into $cache/venv"
    python3 -m venv "$cache/venv" &&
        "$cache/venv/bin/pip" install --quiet -r tests/requirements.txt &&
        find_python "$cache/venv/bin/python"
}

# The daemon tests mostly wait: they run side by side where Debian's pytest-xdist is there.
side_by_side=()
find_xdist() {
    [ "$is_debian" = no ] || install_packages python3-pytest-xdist
    "$python" -c 'import xdist' 2>/dev/null && side_by_side=(-n 4)
}

# Checks the metrics page, the alerts and their tests. Installing its package would start a
# Prometheus, so only the program is taken out of it.
fetch_promtool() {
    local folder as_root=""
    if [ -x "$cache/promtool" ] || command -v promtool >/dev/null; then
        return 0
    fi
    if [ "$is_debian" = no ]; then
        printf 'run.sh: this is not Debian; please install promtool of Prometheus\n' >&2
        return 1
    fi
    is_root || as_root=sudo
    folder=$(mktemp -d "${TMPDIR:-/tmp}/nsaddrd-promtool.XXXXXX") || return
    if ! (
        cd "$folder" || exit
        apt-get -q download prometheus ||
            { $as_root apt-get -q update && apt-get -q download prometheus; } || exit
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool &&
            mv usr/bin/promtool "$cache/promtool"
    ) >"$reports/promtool.log" 2>&1; then
        cat "$reports/promtool.log" >&2
        rm -rf "$folder"
        return 1
    fi
    rm -rf "$folder"
}

install_needs() {
    ./packaging/quickstart.sh --install-only || return
    local but_cleanroot=${every_tier/cleanroot/}
    # shellcheck disable=SC2086 # a list of words on purpose
    wanted $but_cleanroot || return 0
    install_packages libcmocka-dev || return
    if wanted build lint; then
        install_packages clang:clang || return
    fi
    if wanted lint; then
        install_packages clang-format-14:clang-format-14 clang-tidy:clang-tidy \
            shellcheck:shellcheck mandoc:mandoc man:man-db zsh:zsh fish:fish || return
    fi
    if wanted fuzz; then
        install_packages clang:clang libclang-rt-14-dev || return
    fi
    if wanted coverage; then
        install_packages gcovr:gcovr || return
    fi
    # shellcheck disable=SC2086 # a list of words on purpose
    if wanted ${but_cleanroot/build/}; then
        install_packages openssl:openssl || return
        install_pytest || return
        find_xdist
    fi
    if wanted torture coverage; then
        install_packages objcopy:binutils || return
    fi
    if wanted monitoring daemon daemon-san daemon-tsan coverage; then
        fetch_promtool || return
    fi
    if wanted browser; then
        install_packages chromium:chromium chromedriver:chromium-driver python3-selenium || return
    fi
    if wanted real && [ -z "$real_missing" ]; then
        install_packages systemd-socket-activate:systemd || return
    fi
    if wanted bench; then
        install_packages wrk:wrk nginx-light || return
    fi
    if wanted packages && is_root; then
        install_packages objdump:binutils dpkg-shlibdeps:dpkg-dev lintian:lintian debootstrap:debootstrap \
            systemd-analyze:systemd systemd-nspawn:systemd-container buildah:buildah podman:podman \
            runc:runc || return
    fi
    if wanted cleanroot && is_root; then
        install_packages debootstrap:debootstrap || return
    fi
}

# --- results --------------------------------------------------------------------------------------

total_passed=0
total_failed=0
table=()
not_run=()

# record TIER PASSED FAILED SKIPPED SECONDS REMARK
record() {
    total_passed=$((total_passed + $2))
    total_failed=$((total_failed + $3))
    table+=("$(printf '%-12s %7s %7s %7s %6s s  %s' "$1" "$2" "$3" "$4" "$5" "$6")")
}

# attribute NAME ELEMENT: the number, 0 if there is none.
attribute() {
    local number
    number=$(sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<<"$2")
    echo "${number:-0}"
}

# record_tests TIER JUNIT-FILE EXIT-STATUS SECONDS
record_tests() {
    local element="" tests failed skipped remark=""
    [ ! -f "$2" ] || element=$(tr '\n\t' '  ' <"$2" | grep -o '<testsuite [^>]*>' | head -n 1)
    tests=$(attribute tests "$element")
    failed=$(($(attribute failures "$element") + $(attribute errors "$element")))
    skipped=$(($(attribute skipped "$element") + $(attribute disabled "$element")))
    if [ "$tests" -le "$skipped" ]; then
        remark="no test ran"
        failed=$((failed > 0 ? failed : 1))
        tests=$((failed + skipped))
    elif [ "$3" -ne 0 ] && [ "$failed" -eq 0 ]; then
        remark="exit $3"
        failed=1
        tests=$((tests + 1))
    fi
    record "$1" $((tests - failed - skipped)) "$failed" "$skipped" "$4" "$remark"
}

finish() {
    local tier
    for tier in $tiers; do # nobody is to believe that a tier ran which did not
        case "$(printf '%s\n' "${table[@]}" "${not_run[@]}")" in
        *"$tier "*) ;;
        *) record "$tier" 0 1 0 0 "did not run" ;;
        esac
    done
    local line what
    printf '\n%-12s %7s %7s %7s %8s\n' tier passed failed skipped time
    for line in "${table[@]}"; do
        printf '%s\n' "$line"
    done
    if [ ${#not_run[@]} -gt 0 ]; then
        printf '\n%s\n' "************************ TESTS THAT DID NOT RUN ************************"
        for what in "${not_run[@]}"; do
            printf '*** %s\n' "$what"
        done
        printf '%s\n' "*************************************************************************"
    fi
    printf '\nnsaddrd: %d passed, %d failed\n' "$total_passed" "$total_failed"
    [ "$total_failed" -eq 0 ]
    exit
}

# --- builds ---------------------------------------------------------------------------------------

declare -A built

# build FOLDER COMPILER [CMAKE OPTION]...: once per run; remembers and returns whether it worked.
build() {
    local folder=$1 compiler=$2 fresh=() started=$SECONDS
    shift 2
    if [ -n "${built[$folder]:-}" ]; then
        [ "${built[$folder]}" = yes ]
        return
    fi
    say "building $folder with $compiler ${*:-}"
    # A folder that something else configured (another compiler or generator) starts afresh.
    if [ -f "$folder/CMakeCache.txt" ] &&
        ! { grep -q "^CMAKE_C_COMPILER:.*/$compiler\$" "$folder/CMakeCache.txt" &&
            grep -q '^CMAKE_GENERATOR:INTERNAL=Ninja$' "$folder/CMakeCache.txt"; }; then
        fresh=(--fresh)
    fi
    mkdir -p "$folder"
    if {
        cmake "${fresh[@]}" -S . -B "$folder" -G Ninja -DCMAKE_C_COMPILER="$compiler" \
            -DBUILD_TESTING=ON -DWERROR=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" &&
            cmake --build "$folder" -j "$jobs"
    } >"$folder/run.log" 2>&1; then
        built[$folder]=yes
        printf '%s: built in %d s\n' "$folder" $((SECONDS - started))
        return 0
    fi
    built[$folder]=no
    cat "$folder/run.log"
    record "$folder" 0 1 0 $((SECONDS - started)) "the build failed"
    return 1
}

build_gcc() { build build gcc -DSANITIZE=; }
build_clang() { build build-clang clang -DSANITIZE=; }
build_asan() { build build-asan gcc -DSANITIZE=address,undefined; }
build_tsan() { build build-tsan gcc -DSANITIZE=thread; }
build_fuzz() { build build-fuzz clang -DSANITIZE= -DFUZZ=ON -DBUILD_TESTING=OFF; }
# Without optimisation gcc warns of truncations that it else sees cannot be.
build_cov() { build build-cov gcc -DSANITIZE= -DCOVERAGE=ON -DWERROR=OFF; }

# --- tiers ----------------------------------------------------------------------------------------

asan_default=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export ASAN_OPTIONS="${ASAN_OPTIONS:-$asan_default}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-second_deadlock_stack=1}"

# ctest_tier TIER BUILD-FOLDER
ctest_tier() {
    local started=$SECONDS status
    say "$1: ctest -L unit in $2"
    ctest --test-dir "$2" -L unit --output-on-failure --no-tests=error --timeout 300 -j "$jobs" \
        --output-junit "$reports/$1.xml"
    status=$?
    record_tests "$1" "$reports/$1.xml" $status $((SECONDS - started))
}

# pytest_tier TIER BINARY TESTS... [OPTION]...
pytest_tier() {
    local tier=$1 binary=$2 started=$SECONDS status
    shift 2
    say "$tier: pytest $*"
    NSADDRD_BIN=$root/$binary "$python" -m pytest -p no:cacheprovider -q --tb=short \
        --junitxml="$reports/$tier.xml" "$@"
    status=$?
    record_tests "$tier" "$reports/$tier.xml" $status $((SECONDS - started))
}

# check_tier TIER WHAT COMMAND...: a step that is one check by itself.
check_tier() {
    local tier=$1 started=$SECONDS
    say "$tier: $2"
    shift 2
    if "$@"; then
        record "$tier" 1 0 0 $((SECONDS - started)) ""
    else
        record "$tier" 0 1 0 $((SECONDS - started)) "exit $?"
    fi
}

# schedules_share FIRST COUNT: seeds from FIRST on, each history judged as it comes.
schedules_share() {
    build/tests/sim/schedules --seed "$1" --count "$2" --history /dev/fd/3 3>&1 >"$reports/schedules.$1.log" |
        "$python" tests/validate/validator.py
}

# The scenarios, which unit has judged by their own words, and then the schedules.
schedules() {
    local watches
    for watches in 100 2 0; do
        build/tests/sim/scenario --watches "$watches" --history /dev/fd/3 tests/sim/scenarios/*.txt \
            3>&1 >"$reports/schedules.scenarios.$watches.log" | "$python" tests/validate/validator.py || return
    done
    local share pids=() status=0 first=${NSADDRD_SEED:-1} count=10000
    [ "$long" = no ] || count=100000
    count=$((count / jobs))
    for ((share = 0; share < jobs; share++)); do
        schedules_share $((first + share * count)) "$count" &
        pids+=($!)
    done
    for share in "${pids[@]}"; do
        wait "$share" || status=1
    done
    cat "$reports"/schedules.*.log
    return "$status"
}

# torture BUILD [OPTION]...
torture() {
    cmake --build "$1" --target torture -j "$jobs" >"$1/torture.log" 2>&1 || cat "$1/torture.log"
    "$python" tests/torture/run.py --build "$@"
}

# All that a stop of the daemon takes is tried in part, unless there is time.
torture_tier() {
    torture build-asan --only symbols --only units --only crash &&
        if [ "$long" = yes ]; then
            torture build-asan --only scenarios --full && torture build-asan --only daemon
        else
            torture build-asan --only scenarios && torture build-asan --only daemon --stride 5
        fi
}

fuzz() {
    local seconds=60
    [ "$long" = no ] || seconds=3600
    "$python" tests/fuzz/run.py --build build-fuzz --seconds "${NSADDRD_FUZZ_SECONDS:-$seconds}"
}

# branches MINIMUM FILTER...: uthash's macros are left out, they are not ours. A process that ends while
# a thread still counts leaves a line with a count of -1, on which gcovr would give up.
branches() {
    local minimum=$1 filters=()
    shift
    for filter in "$@"; do
        filters+=(--filter "$filter")
    done
    gcovr --root . --object-directory build-cov "${filters[@]}" --branches --gcov-ignore-parse-errors \
        --exclude-lines-by-pattern '.*\bHASH_[A-Z_]+\(.*' --fail-under-branch "$minimum"
}

# What fails here is for the tiers of these tests to say; a call that fails beside threads may also
# end the counting badly.
coverage() {
    find build-cov -name '*.gcda' -delete
    {
        ctest --test-dir build-cov -L unit -j "$jobs" --timeout 300
        torture build-cov --only units --only scenarios --only crash
        torture build-cov --only daemon --stride 5
        NSADDRD_BIN=$root/build-cov/nsaddrd "$python" -m pytest -p no:cacheprovider -q --tb=short \
            "${side_by_side[@]}" tests/daemon
    } >"$reports/coverage.log" 2>&1
    branches 90 src/ && branches 100 src/model/admission.c 'src/source/(spool|journal|restore|state_read).c'
}

bench() {
    local script options status=0
    for script in tests/bench/*.py; do
        [ -x "$script" ] || continue # a module of the others
        if [ "${script##*/}" = nomad.py ] && ! is_root; then
            not_run+=("$script: Nomad was not measured. Run this as root.")
            continue
        fi
        options=()
        [ "${script##*/}" != clusters.py ] || [ "$long" = yes ] || options=(--short)
        say "$script ${options[*]}"
        NSADDRD_BIN=$root/build/nsaddrd "$python" "$script" "${options[@]}" || status=$?
    done
    return "$status"
}

# A fresh Debian 12: does what the README says work there?
clean_root() {
    local folder status=1
    folder=$(mktemp -d "${TMPDIR:-/tmp}/nsaddrd-cleanroot.XXXXXX") || return
    if debootstrap --variant=minbase bookworm "$folder" >"$reports/debootstrap.log" 2>&1; then
        mkdir "$folder/nsaddrd"
        tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$folder/nsaddrd"
        cp /etc/resolv.conf "$folder/etc/"
        if mount -t proc proc "$folder/proc"; then
            chroot "$folder" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
                sh -c 'cd /nsaddrd && ./packaging/quickstart.sh --build-only &&
                    ./tests/run.sh --only unit'
            status=$?
            umount "$folder/proc"
        fi
    else
        cat "$reports/debootstrap.log"
    fi
    # Never reach into a mount that is still there.
    grep -q " $folder/" /proc/mounts || rm -rf "$folder"
    return "$status"
}

# Once per run.
parts_built=
real_parts() {
    if [ -z "$parts_built" ]; then
        say "building or finding Consul, fabio, Nomad and RocketMQ in $cache"
        parts_built=no
        tests/real/parts/build.sh && parts_built=yes
    fi
    [ "$parts_built" = yes ]
}

# --- the run --------------------------------------------------------------------------------------

if ! install_needs; then
    record install 0 1 0 "$SECONDS" "what the tests need could not be installed"
    finish
fi

if wanted build; then
    started=$SECONDS
    build_gcc && build_clang && record build 0 0 0 $((SECONDS - started)) "gcc and clang, no warnings"
fi
if wanted lint && build_gcc && build_clang; then
    pytest_tier lint build/nsaddrd tests/lint
fi
if wanted monitoring && build_gcc; then
    pytest_tier monitoring build/nsaddrd tests/monitoring
fi
if wanted unit && build_gcc; then
    ctest_tier unit build
fi
if wanted unit-san && build_asan; then
    ctest_tier unit-san build-asan
fi
if wanted validator; then
    pytest_tier validator build/nsaddrd tests/validate
fi
if wanted schedules && build_gcc; then
    check_tier schedules "random schedules of the source, judged by the validator" schedules
fi
if wanted torture && build_asan; then
    check_tier torture "each call that can fail fails once" torture_tier
fi
if wanted daemon && build_gcc; then
    pytest_tier daemon build/nsaddrd "${side_by_side[@]}" tests/daemon
fi
if wanted daemon-san && build_asan; then
    pytest_tier daemon-san build-asan/nsaddrd "${side_by_side[@]}" tests/daemon
fi
if wanted daemon-tsan && build_tsan; then
    pytest_tier daemon-tsan build-tsan/nsaddrd "${side_by_side[@]}" tests/daemon
fi
if wanted browser && build_gcc; then
    pytest_tier browser build/nsaddrd tests/browser
fi
if [ "$long" = yes ]; then
    export NSADDRD_LONG=1 NSADDRD_SCHEDULES=${NSADDRD_SCHEDULES:-1000}
fi
# Where there can be a real fabio and Consul, the cases of HTTP go through the one and the faults of the
# wire are put in front of the other.
if wanted http http-san faults faults-san && [ -z "$real_missing" ]; then
    real_parts && export NSADDRD_REQUIRE_REAL=1
fi
if wanted http && build_gcc; then
    pytest_tier http build/nsaddrd "${side_by_side[@]}" tests/http
fi
if wanted http-san && build_asan; then
    pytest_tier http-san build-asan/nsaddrd "${side_by_side[@]}" tests/http
fi
if wanted faults && build_gcc; then
    pytest_tier faults build/nsaddrd tests/faults
fi
if wanted faults-san && build_asan; then
    pytest_tier faults-san build-asan/nsaddrd tests/faults
fi
if wanted chaos && build_asan; then
    pytest_tier chaos build-asan/nsaddrd tests/chaos
fi
if wanted fuzz && build_fuzz; then
    check_tier fuzz "inputs that are kept, and new ones (libFuzzer)" fuzz
fi
if wanted coverage && build_cov; then
    check_tier coverage "branches taken by unit, torture and daemon tests" coverage
fi
if wanted packages && ! is_root; then
    not_run+=("packages (tests/packages): nothing that is shipped was tried. Run this as root.")
elif wanted packages && build_gcc; then
    pytest_tier packages build/nsaddrd tests/packages
fi
if wanted real bench && [ -n "$real_missing" ]; then
    wanted real && not_run+=("real (tests/real): Consul, fabio and RocketMQ were not tried.")
    wanted bench && not_run+=("bench (tests/bench): nothing was measured.")
    while read -r line; do
        not_run+=("    missing: $line")
    done <<<"$real_missing"
    not_run+=("    install them, then: ./tests/run.sh --only real")
elif wanted real bench && build_gcc; then
    started=$SECONDS
    if real_parts; then
        without=()
        if wanted real && ! is_root; then # Nomad's agent has to be root
            without=(--ignore=tests/real/test_nomad.py)
            not_run+=("tests/real/test_nomad.py: Nomad was not tried. Run this as root.")
        fi
        wanted real && pytest_tier real build/nsaddrd tests/real "${without[@]}" --durations=20
        wanted bench && check_tier bench "tests/bench" bench
    else
        record real 0 1 0 $((SECONDS - started)) "the real systems could not be built"
    fi
fi
if wanted cleanroot && ! is_root; then
    not_run+=("cleanroot (tests/run.sh): no fresh Debian 12 was tried. Run this as root.")
elif wanted cleanroot; then
    check_tier cleanroot "quickstart and unit tests in a fresh Debian 12" clean_root
fi
finish
