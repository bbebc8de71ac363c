#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the real systems that the tests run against, once, into a cache outside the source tree.
#
# Each part is pinned by the files of its folder (go.mod and go.sum; pom.xml and jars.sha256) and
# kept under a key made of them, so a changed pin is a new build and an unchanged one costs nothing.
# Progress goes to stderr. The only line on stdout is the folder that has every part by its name:
#
#   consul fabio nomad rocketmq-go rocketmq-go-rc5    programs
#   rocketmq-4.5.2 rocketmq-4.7.1                     lib: jars; classes: our Java programs for them
#
# Needs Go 1.25, a JDK and Maven, and a Go module proxy and Maven Central for what is not built yet.
set -eu

parts=$(cd "$(dirname "$0")" && pwd)
cache=${NSADDRD_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nsaddrd-tests}
mkdir -p "$cache"

say() {
    printf 'parts: %s\n' "$*" >&2
}

# Two runs at once would build the same thing twice. Children get no copy of the lock: one that
# outlives us must not keep it.
exec 9>"$cache/lock"
if ! flock -n 9; then
    say "waiting for another build in $cache"
    flock 9
fi

# key_of FILE...: one hash over names and contents.
key_of() {
    (cd "$parts" && sha256sum "$@") | sha256sum | cut -c1-16
}

# build NAME KEY STEP ARGUMENT...: "STEP <empty folder> ARGUMENT..." makes the part, and it appears
# in the cache whole or not at all.
build() {
    name=$1 key=$2
    shift 2
    if [ ! -e "$cache/$name-$key" ]; then
        step=$1
        shift
        say "building $name (log: $cache/$name.log)"
        started=$(date +%s)
        stage=$cache/stage-$name
        rm -rf "$stage"
        mkdir "$stage"
        if ! ("$step" "$stage" "$@") >"$cache/$name.log" 2>&1 9>&-; then
            tail -n 40 "$cache/$name.log" >&2
            say "$name failed"
            exit 1
        fi
        mv "$stage" "$cache/$name-$key"
        say "$name is built in $(($(date +%s) - started)) s"
    fi
    links="$links $name-$key"
}

# A copy of the module is built: nothing is ever written into the tree. Without cgo the Go client
# takes $HOME for its home, where it keeps the last list it saw; Nomad does not build without it.
go_part() {
    stage=$1 module=$2 package=$3 cgo=${4:-0}
    cp -r "$parts/$module" "$stage/module" &&
        cd "$stage/module" &&
        GOFLAGS='' GOWORK=off CGO_ENABLED="$cgo" nice -n 10 go build -mod=readonly \
            -trimpath -buildvcs=false -ldflags='-s -w' -o "$stage/program" "$package" &&
        rm -rf "$stage/module"
}

maven_part() {
    stage=$1 version=$2
    mkdir "$stage/classes" &&
        nice -n 10 mvn -q -B -f "$parts/rocketmq-$version/pom.xml" \
            dependency:copy-dependencies -DoutputDirectory="$stage/lib" &&
        (cd "$stage/lib" && sha256sum --quiet -c "$parts/rocketmq-$version/jars.sha256") &&
        nice -n 10 javac --release 11 -cp "$stage/lib/*" -d "$stage/classes" "$parts"/java/*.java
}

links=
build consul "$(key_of consul/go.mod consul/go.sum)" \
    go_part consul github.com/hashicorp/consul
build fabio "$(key_of fabio/go.mod fabio/go.sum)" \
    go_part fabio github.com/fabiolb/fabio
build nomad "$(key_of nomad/go.mod nomad/go.sum)" \
    go_part nomad github.com/hashicorp/nomad 1
for module in rocketmq-go rocketmq-go-rc5; do
    build "$module" "$(key_of "$module/go.mod" "$module/go.sum" "$module/main.go")" \
        go_part "$module" .
done
for version in 4.5.2 4.7.1; do
    pins="rocketmq-$version/pom.xml rocketmq-$version/jars.sha256"
    # shellcheck disable=SC2046,SC2086 # lists of plain names
    build "rocketmq-$version" "$(key_of $pins $(cd "$parts" && echo java/*.java))" \
        maven_part "$version"
done

# One folder for exactly this set of parts: another checkout with other pins has its own.
set_of_parts=$cache/set-$(echo "$links" | sha256sum | cut -c1-16)
mkdir -p "$set_of_parts"
for link in $links; do
    name=${link%-*}
    if [ -e "$cache/$link/program" ]; then
        ln -sfn "../$link/program" "$set_of_parts/$name"
    else
        ln -sfn "../$link" "$set_of_parts/$name"
    fi
done
echo "$set_of_parts"
