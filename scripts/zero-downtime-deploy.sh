#!/usr/bin/env bash
# Deploys without downtime, for people who know this script. It is `teal deploy` by another name:
# --fast does again only what changed; without it everything is built from scratch.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: zero-downtime-deploy.sh production|staging [--fast] [option of `teal deploy` ...]

  --fast   only what changed is done again; without it everything is built from scratch

Any environment of teal.toml can be named, and `teal deploy --help` lists the other options.
Exit codes: 0 live · 1 failed or rolled back · 2 usage or configuration
            3 the server cannot be reached · 4 refused
TEXT
}

environment=""
mode="--full"
options=()
for word in "$@"; do
    case "$word" in
        -h | --help)
            usage
            exit 0
            ;;
        --fast) mode="--fast" ;;
        --full) mode="--full" ;;
        -*) options+=("$word") ;;
        *)
            # The first word names the environment; a later one is the value of the option before it.
            if [[ -z "$environment" && ${#options[@]} -eq 0 ]]; then
                environment="$word"
            else
                options+=("$word")
            fi
            ;;
    esac
done

if [[ -z "$environment" ]]; then
    usage >&2
    exit 2
fi

# `teal` on PATH, else beside this script, else as cargo built it.
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
for teal in "$(command -v teal || true)" "$here/teal" \
    "$here/../target/release/teal" "$here/../target/quick/teal" "$here/../target/debug/teal"; do
    if [[ -n "$teal" && -x "$teal" && ! -d "$teal" ]]; then
        exec "$teal" deploy "$environment" "$mode" "${options[@]}"
    fi
done

echo "error: \`teal\` is neither on PATH nor in $here" >&2
echo "  next: cargo build --release, or put \`teal\` on PATH" >&2
exit 2
