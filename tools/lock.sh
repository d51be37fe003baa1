#!/bin/sh
# Writes the hash-pinned requirements: every platform we support, from Python 3.11 on, no index named.
# Usage: tools/lock.sh UV [--upgrade]
set -eu
uv=$1
shift
compile() {
    output=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-config --custom-compile-command "make lock" --output-file "$output" "$@"
}
compile requirements.txt pyproject.toml "$@"
compile requirements-dev.txt pyproject.toml --group dev --constraints requirements.txt "$@"
compile requirements-build.txt --group build --constraints requirements-dev.txt "$@"
