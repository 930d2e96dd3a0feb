#!/usr/bin/env bash
# Brings data/ to what this release expects: runs each numbered migration that data/migrations.log does not name yet.
# Usage: migrations/run.sh <environment>
set -euo pipefail
environment=${1:?usage: migrations/run.sh <environment>}
cd "$(dirname "$0")/.."
mkdir -p data
touch data/migrations.log

for file in migrations/[0-9]*.sh; do
  name=$(basename "$file" .sh)
  if grep -qx -- "$name" data/migrations.log; then
    continue
  fi
  echo "migrating $environment: $name"
  bash "$file"
  echo "$name" >> data/migrations.log
done
echo "$environment is at $(tail -n 1 data/migrations.log)"
