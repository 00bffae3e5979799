# Tenuto as in `tenuto.sh`, behind a relay in both directions, as in `tenuto-secured.sh`, but all in plain text: what protection
# costs is the difference of these two. A relay takes CPU, so that Tenuto meets fewer orders at once, and its groups of appends are
# smaller: that would be taken for the cost of protection, if the one was relayed and the other not.
# shellcheck shell=bash disable=SC2034,SC2153
# shellcheck source=benches/peers/tenuto.sh
source "$(dirname "${BASH_SOURCE[0]}")/tenuto.sh"

peer_build() { need haproxy haproxy && cargo_build "$TENUTO_REPO"; }

# relay TO_TENUTO FROM_TENUTO: starts the relay, with what it is told of TLS in each direction: the options of its connection to
# Tenuto, and of the listener for Tenuto.
relay() {
  cat >"$CELL/relay.conf" <<END
global
  maxconn 2000
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
listen tenuto
  bind 127.0.0.1:$RELAY_OF_TENUTO
  server tenuto 127.0.0.1:$TENUTO_PORT $1
listen participants
  bind 127.0.0.1:$RELAY_OF_PARTICIPANTS $2
  server participants ${STUB#http://}
END
  spawn relay haproxy -db -f "$CELL/relay.conf"
}

TENUTO_PORT=$((PORT + 1)) LOG_PORT=$((PORT + 2)) RELAY_OF_TENUTO=$((PORT + 3)) RELAY_OF_PARTICIPANTS=$((PORT + 4))

# start_relayed TENUTO VARIABLE=VALUE...: Tenuto with these variables.
start_relayed() {
  local tenuto=$1; shift
  spawn tenuto env "$@" TENUTO_EVENTSTORE_PORT=$LOG_PORT \
    "$tenuto" dev --no-samples --listen 127.0.0.1:$TENUTO_PORT --data "$CELL/data" --workflows "$TENUTO_HERE/workflows"
  PEER_GROUPS=("tenuto=$LAST_PID")
  wait_http "http://127.0.0.1:$RELAY_OF_TENUTO/readyz" 120
  PEER_DATA=("$CELL/data/event-store" "$CELL/data/postgres")
}

peer_start() {
  let_postgres_in
  relay '' ''
  start_relayed "${TENUTO_BIN:-$BIN/tenuto}" PARTICIPANTS_URL="http://127.0.0.1:$RELAY_OF_PARTICIPANTS"
  calls "http://127.0.0.1:$RELAY_OF_TENUTO"
}
