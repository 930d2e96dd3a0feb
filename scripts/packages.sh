# shellcheck shell=bash
# Sourced by the scripts beside it. Finds out which programs are missing and installs their packages with apt; an ordinary
# user is told what to type instead.

# A login shell is not given: rustup's folder may not be on the path yet, and daemons live in sbin.
export PATH="$PATH:${HOME:-/root}/.cargo/bin:/usr/sbin:/sbin"

# Says each argument on a line of its own, and ends the script.
stop() {
  printf "scripts/${0##*/}: %s\n" "$@" >&2
  exit 1
}

# Reads lines of a program and the package that has it, and makes sure that all of them are there.
need_programs() {
  local program package packages=()
  while read -r program package; do
    command -v "$program" > /dev/null || packages+=("$package")
  done
  if [ "${#packages[@]}" -gt 0 ]; then
    install_packages "${packages[@]}"
  fi
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
  hash -r
}

need_cargo() {
  command -v cargo > /dev/null ||
    stop "cargo is missing: install Rust from https://rustup.rs, then run this again."
}
