#!/usr/bin/env bash
# See that the system parts the tests and measurements need are there: a C compiler, OpenSSL, PostgreSQL,
# and Chromium, in which the pages are tried.
# As root on Debian or Ubuntu they are installed; elsewhere what is missing is named, and the tests that need it fail.
set -euo pipefail

postgresql() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null; }
headers() { echo '#include <dlfcn.h>' | cc -E - >/dev/null 2>&1; }

missing=()
command -v cc >/dev/null && headers || missing+=(gcc libc6-dev)
command -v openssl >/dev/null || missing+=(openssl)
postgresql || missing+=(postgresql)
command -v chromium >/dev/null || missing+=(chromium)
command -v pdftotext >/dev/null || missing+=(poppler-utils)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${missing[*]}"
    # No cluster of the distribution's own is wanted: tests make theirs.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null && exit 0
fi
printf '%s\n' >&2 "Missing on this machine: ${missing[*]}." \
    "Tests that need them will fail. On Debian or Ubuntu: apt-get install ${missing[*]}"
