# Tenuto as in `tenuto.sh`, with TLS on every connection, an API key in every request of a caller, and signed requests to
# participants: what protection costs. The benchmark speaks plain HTTP, so stunnel (Debian's `stunnel4`) stands between it and
# Tenuto, in both directions. Its CPU is not counted as Tenuto's; the delay that it adds is in the times.
# shellcheck shell=bash disable=SC2034,SC2153
# shellcheck source=benches/peers/tenuto.sh
source "$(dirname "${BASH_SOURCE[0]}")/tenuto.sh"

peer_build() { need stunnel4 stunnel4 && need openssl openssl && cargo_build "$TENUTO_REPO"; }

# secured_files TENUTO PLAIN_TENUTO PLAIN_STUB: certificates, a key, secrets, the settings of stunnel. The ports are Tenuto's,
# that of Tenuto in plain text, and that of the participants with TLS.
secured_files() {
  local secrets
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=benchmark -keyout ca.key -out ca.pem 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=listener -keyout listener.key -out listener.csr 2>/dev/null
  openssl x509 -req -in listener.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out listener.pem \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost') 2>/dev/null
  "$1" key generate >admin.key
  printf 'admin-key-file = "%s/admin.key"\n' "$PWD" >access.toml
  secrets=$(for name in orders payments shipping notifications; do echo "$name: [whsec_$(openssl rand -base64 32)]"; done)
  echo "$secrets" >secrets.yaml
  echo benchmark >password
  cat >stunnel.conf <<END
foreground = yes
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[tenuto]
client = yes
accept = 127.0.0.1:$3
connect = 127.0.0.1:$2
CAfile = $PWD/ca.pem
verifyChain = yes
[participants]
cert = $PWD/listener.pem
key = $PWD/listener.key
accept = 127.0.0.1:$4
connect = ${STUB#http://}
END
}

peer_start() {
  local tenuto=${TENUTO_BIN:-$BIN/tenuto} direct=$((PORT + 1)) log=$((PORT + 2)) plain=$((PORT + 3)) stub=$((PORT + 4))
  local api=http://127.0.0.1:$plain files=$CELL/files
  let_postgres_in
  mkdir "$files"
  # In the background, where each of its commands must succeed.
  (set -e; cd "$files"; secured_files "$tenuto" "$direct" "$plain" "$stub") & wait $! || die "the files of a secured Tenuto cannot be made"
  spawn stunnel stunnel4 "$files/stunnel.conf"
  spawn tenuto env PARTICIPANTS_URL="https://127.0.0.1:$stub" TENUTO_EVENTSTORE_PORT=$log TENUTO_ACCESS="$files/access.toml" \
    TENUTO_TLS_CERTIFICATE="$files/listener.pem" TENUTO_TLS_KEY="$files/listener.key" SSL_CERT_FILE="$files/ca.pem" \
    TENUTO_PARTICIPANTS_CA_FILE="$files/ca.pem" TENUTO_PARTICIPANT_SECRETS_FILE="$files/secrets.yaml" \
    TENUTO_EVENTSTORE_ADMIN_PASSWORD_FILE="$files/password" \
    "$tenuto" dev --no-samples --listen 127.0.0.1:$direct --data "$CELL/data" --workflows "$TENUTO_HERE/workflows"
  PEER_GROUPS=("tenuto=$LAST_PID")
  wait_http "$api/readyz" 120
  PEER_DATA=("$CELL/data/event-store" "$CELL/data/postgres")
  calls "$api" "authorization: Bearer $(cat "$files/admin.key")"
}
