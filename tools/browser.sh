#!/bin/sh
# Makes sure that a Chromium is there for the browser tests: installs Debian's when it may.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
packages="chromium fonts-dejavu-core"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setting up: Debian packages for the browser tests ($packages) …"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends $packages >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "error: apt-get could not install: $packages (its last words are above)" >&2
    exit 1
fi
echo "error: the browser tests need Chromium, and this user may not install it." >&2
echo "       As root: apt-get update && apt-get install $packages" >&2
echo "       (on another system: a chromium, chromium-browser or google-chrome command)" >&2
exit 1
