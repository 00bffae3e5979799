#!/bin/sh
# Installs Tenuto from a release: the binary, its manual pages and its completions.
#
#   install.sh --from URL-OR-FOLDER --version VERSION [--prefix FOLDER]
#
# --from     where the files of the release are: an https:// URL or a folder
# --version  the version, such as 0.1.0
# --prefix   where to install [default: /usr/local as root, else ~/.local]
#
# The archive is checked against SHA256SUMS of the same place before anything is installed.
set -eu

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

from='' version='' prefix=''
while [ $# -gt 0 ]; do
    case $1 in
    --from | --version | --prefix)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --from) from=${2%/} ;;
        --version) version=$2 ;;
        --prefix) prefix=$2 ;;
        esac
        shift 2
        ;;
    *) fail "$1 is no option; use --from, --version and --prefix" ;;
    esac
done
[ -n "$from" ] || fail '--from is missing: where the files of the release are'
[ -n "$version" ] || fail '--version is missing, such as --version 0.1.0'
if [ -z "$prefix" ]; then
    if [ "$(id -u)" -eq 0 ]; then prefix=/usr/local; else prefix=$HOME/.local; fi
fi

system=$(uname -s)
[ "$system" = Linux ] || fail "there is no archive for $system: build it with cargo build --release"
case $(uname -m) in
x86_64 | amd64) machine=x86_64 ;;
aarch64 | arm64) machine=aarch64 ;;
*) fail "there is no archive for $(uname -m): build it with cargo build --release" ;;
esac
name=tenuto-$version-$machine-unknown-linux-gnu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fetch() {
    case $from in
    https://* | http://127.0.0.1:*) curl --fail --silent --show-error --location --proto-redir =https --output "$folder/$1" "$from/$1" ;;
    *://*) fail "$from is not an https:// URL" ;;
    *) cp "$from/$1" "$folder/$1" ;;
    esac || fail "$from/$1 cannot be fetched"
}

fetch SHA256SUMS
fetch "$name.tar.gz"
(cd "$folder" && grep -F "  $name.tar.gz" SHA256SUMS >wanted && sha256sum --check --strict --quiet wanted) ||
    fail "$name.tar.gz is not the file that SHA256SUMS lists: nothing is installed"
tar -xzf "$folder/$name.tar.gz" -C "$folder"
mkdir -p "$prefix"
cp -R "$folder/$name/." "$prefix/"
"$prefix/bin/tenuto" --version
case :$PATH: in
*":$prefix/bin:"*) ;;
*) echo "add $prefix/bin to your PATH" ;;
esac
