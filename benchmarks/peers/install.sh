#!/bin/sh
# Installs what benchmarks/exactly_once.py compares with, into .cache/peers: Quix Streams and Spark with its Kafka
# connector. Done at once where they are there already. Needs Java and Maven (tests/services/install.sh).
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
peers=$here/../../.cache/peers

# The copy of this script is written last: where it differs or is not there, what is there is not what it names.
if ! cmp -s "$0" "$peers/install.sh"; then
    rm -rf "$peers"
    mkdir -p "$peers"
    python3 -m venv "$peers/python"
    "$peers/python/bin/pip" install --quiet quixstreams==3.28.1 pyspark==4.1.1
    mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DexcludeGroupIds=org.apache.hadoop,org.scala-lang -DoutputDirectory="$peers/jars"
    cp "$0" "$peers/install.sh"
fi
