# To be sourced: how the test scripts install what a machine lacks.
# shellcheck shell=bash

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# install_package APT DNF BREW: one package, under the name that each package manager has for it. Fails where there is none.
install_package() {
  if command -v apt-get >/dev/null; then
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$1"
  elif command -v dnf >/dev/null; then
    as_root dnf install -y "$2"
  elif command -v brew >/dev/null; then
    brew install "$3"
  else
    return 1
  fi
}
