# Tenuto as in `tenuto-relayed.sh`, with TLS on every connection, an API key in every request of a caller, and signed requests to
# participants. The benchmark speaks plain HTTP: the relay adds TLS and removes it. Its CPU is not counted as Tenuto's.
# shellcheck shell=bash disable=SC2034,SC2153
# shellcheck source=benches/peers/tenuto-relayed.sh
source "$(dirname "${BASH_SOURCE[0]}")/tenuto-relayed.sh"

peer_build() { need haproxy haproxy && need openssl openssl && cargo_build "$TENUTO_REPO"; }

# secured_files TENUTO: certificates, a key, secrets.
secured_files() {
  local secrets
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=benchmark -keyout ca.key -out ca.pem 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=listener -keyout listener.key -out listener.csr 2>/dev/null
  openssl x509 -req -in listener.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out listener.pem \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost') 2>/dev/null
  cat listener.pem listener.key >relay.pem
  "$1" key generate >admin.key
  printf 'admin-key-file = "%s/admin.key"\n' "$PWD" >access.toml
  secrets=$(for name in orders payments shipping notifications; do echo "$name: [whsec_$(openssl rand -base64 32)]"; done)
  echo "$secrets" >secrets.yaml
  echo benchmark >password
}

peer_start() {
  local tenuto=${TENUTO_BIN:-$BIN/tenuto} files=$CELL/files
  let_postgres_in
  mkdir "$files"
  # In the background, where each of its commands must succeed.
  (set -e; cd "$files"; secured_files "$tenuto") & wait $! || die "the files of a secured Tenuto cannot be made"
  relay "ssl verify required ca-file $files/ca.pem" "ssl crt $files/relay.pem"
  start_relayed "$tenuto" PARTICIPANTS_URL="https://127.0.0.1:$RELAY_OF_PARTICIPANTS" TENUTO_ACCESS="$files/access.toml" \
    TENUTO_TLS_CERTIFICATE="$files/listener.pem" TENUTO_TLS_KEY="$files/listener.key" SSL_CERT_FILE="$files/ca.pem" \
    TENUTO_PARTICIPANTS_CA_FILE="$files/ca.pem" TENUTO_PARTICIPANT_SECRETS_FILE="$files/secrets.yaml" \
    TENUTO_EVENTSTORE_ADMIN_PASSWORD_FILE="$files/password"
  calls "http://127.0.0.1:$RELAY_OF_TENUTO" "authorization: Bearer $(cat "$files/admin.key")"
}
