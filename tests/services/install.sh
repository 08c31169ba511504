#!/bin/sh
# Installs what the service tests start: Java and Maven, the jars of a Kafka broker, PostgreSQL, Chromium,
# Mosquitto, Prometheus with a node exporter.
# Run it as root or with sudo on Debian; it installs only what is missing and is done at once when nothing is.
# Jars go to $TUSK_SERVICES/kafka (default: .cache/services/kafka in the repository).
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
services=${TUSK_SERVICES:-$here/../../.cache/services}
kafka=$services/kafka

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "install.sh: '$*' needs root: run this script as root or install sudo" >&2
        exit 1
    fi
}

missing=
command -v java >/dev/null || missing="$missing default-jre-headless"
command -v mvn >/dev/null || missing="$missing maven"
command -v chromium >/dev/null || missing="$missing chromium"
# Debian keeps a server's programs off PATH, a folder a version.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
PATH=$PATH:/usr/sbin command -v mosquitto >/dev/null || missing="$missing mosquitto"
command -v prometheus >/dev/null || missing="$missing prometheus"
command -v prometheus-node-exporter >/dev/null || missing="$missing prometheus-node-exporter"
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || {
        echo "install.sh: no apt-get here; install by hand:$missing" >&2
        exit 1
    }
    as_root apt-get update -q
    # One word a package: $missing is meant to be split.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

# The copy of pom.xml is written last: where it differs or is not there, the jars are not those it names.
if ! cmp -s "$here/pom.xml" "$kafka/pom.xml"; then
    rm -rf "$kafka"
    mkdir -p "$kafka"
    mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$(CDPATH= cd -- "$kafka" && pwd)/libs"
    cp "$here/pom.xml" "$kafka/pom.xml"
fi
echo "services: java $(java -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p'), kafka in $kafka, $(command -v chromium)," \
    "$(ls -d /usr/lib/postgresql/*), $(PATH=$PATH:/usr/sbin command -v mosquitto), $(command -v prometheus)"
