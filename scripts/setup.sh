#!/bin/sh
# Installs the locked dependencies once: nothing to do while node_modules/.setup equals
# package-lock.json and the pinned Node is there.
set -eu
cd "$(dirname "$0")/.."
if cmp -s package-lock.json node_modules/.setup && [ -x node_modules/node/bin/node ]; then
  exit 0
fi
echo "ledger: installing dependencies (once, about a minute)" >&2
npm ci --no-audit --no-fund --loglevel=error
[ -x node_modules/node/bin/node ] || npm rebuild node
cp package-lock.json node_modules/.setup
