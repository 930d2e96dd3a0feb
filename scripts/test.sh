#!/usr/bin/env bash
# Runs every check of this project: format, lints, tests. Installs, with apt, the programs that the tests drive for real,
# but only those that are missing; as an ordinary user it says what to install instead.
set -euo pipefail
cd "$(dirname "$0")/.."

# A login shell is not given: rustup's folder may not be on the path yet, and daemons live in sbin.
export PATH="$PATH:${HOME:-/root}/.cargo/bin:/usr/sbin:/sbin"

stop() {
  printf 'scripts/test.sh: %s\n' "$@" >&2
  exit 1
}

missing_packages() {
  local program package
  while read -r program package; do
    command -v "$program" > /dev/null || echo "$package"
  done << 'LIST'
cc build-essential
git git
ssh openssh-client
sshd openssh-server
nginx nginx
python3 python3
node nodejs
npm npm
LIST
}

install_packages() {
  command -v apt-get > /dev/null ||
    stop "missing: $*" "There is no apt-get here; install them with this system's own package manager."
  if [ "$(id -u)" -ne 0 ]; then
    stop "missing: $*" "Install them, then run this again:" "  sudo apt-get update && sudo apt-get install -y $*"
  fi
  echo "installing: $*"
  local log
  log=$(mktemp)
  # The lists of a fresh machine are empty or too old: they are brought in first, and the output shown only when it fails.
  if ! {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q &&
      apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
  } > "$log" 2>&1 < /dev/null; then
    tail -n 30 "$log" >&2
    stop "apt-get could not install: $*" "Its whole output is in $log"
  fi
  rm -f "$log"
}

check_rust() {
  command -v cargo > /dev/null ||
    stop "cargo is missing: install Rust from https://rustup.rs, then run this again."
  local wanted
  for wanted in fmt:rustfmt clippy:clippy; do
    cargo "${wanted%%:*}" --version > /dev/null 2>&1 ||
      stop "\`cargo ${wanted%%:*}\` is missing: run \`rustup component add ${wanted##*:}\`, then run this again."
  done
}

check_rust
mapfile -t packages < <(missing_packages)
if [ "${#packages[@]}" -gt 0 ]; then
  install_packages "${packages[@]}"
fi

echo "== format"
cargo fmt --check
echo "== lints"
cargo clippy --quiet --all-targets --locked -- -D warnings
echo "== tests"
cargo test --locked
