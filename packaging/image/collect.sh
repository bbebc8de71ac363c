#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Usage: collect.sh PROGRAM FOLDER: makes the file system of the container image from a built nsaddrd.
# All times in it are SOURCE_DATE_EPOCH (0 without it), so that the same contents are the same layer.
set -euo pipefail
program=$1
folder=$2
cd "$(dirname "$0")/../.."

install -D -m 755 "$program" "$folder/usr/sbin/nsaddrd"
strip "$folder/usr/sbin/nsaddrd"

# Every library that it is linked with, and the loader, where the loader looks for them.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 755 "$library" "$folder$library"
done

# For a Consul with a certificate of a public authority.
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"

install -d -m 755 "$folder/etc/nsaddrd"
sed 's|#dir = "";|dir = "/var/lib/nsaddrd";|' conf/nsaddrd.conf >"$folder/etc/nsaddrd/nsaddrd.conf"
grep -q '^ *dir = "/var/lib/nsaddrd";' "$folder/etc/nsaddrd/nsaddrd.conf"
echo 'nsaddrd:x:65532:65532::/nonexistent:/nonexistent' >"$folder/etc/passwd"
echo 'nsaddrd:x:65532:' >"$folder/etc/group"
chmod 644 "$folder/etc/nsaddrd/nsaddrd.conf" "$folder/etc/passwd" "$folder/etc/group"
install -d -m 700 -o 65532 -g 65532 "$folder/var/lib/nsaddrd"

find "$folder" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
