#!/usr/bin/env bash
# The notebook is a file of JSON lines; an existing one is kept.
set -euo pipefail
touch data/notes.jsonl
