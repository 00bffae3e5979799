# Tenuto for the peers' benchmark: one machine, one process, as `tenuto` alone runs it, with its embedded log and its embedded
# Postgres for the views, both durable, under CPU and memory that are counted as Tenuto's. An order has ended when its view says so.
# The benchmark sources this, and reads what it sets.
# shellcheck shell=bash disable=SC2034,SC2086
TENUTO_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TENUTO_REPO=$(cd "$TENUTO_HERE/../.." && pwd)

peer_version() { echo "0.1.0 $(git -C "$TENUTO_REPO" rev-parse --short HEAD)"; }
peer_build() { cargo_build "$TENUTO_REPO"; }

# The embedded Postgres does not run as root: its user must get through to its folder.
let_postgres_in() {
  local p=$CELL
  while [ "$p" != / ]; do chmod a+x "$p"; p=$(dirname "$p"); done
}

# calls API [HEADER]: how the driver and the participants call Tenuto there, with one header more if need be.
calls() {
  local api=$1 header=${2:-}
  CALLBACK_URL="$api/orders/{order_id}/steps/ship/outcome"
  CALLBACK_BODY='{"outcome":"{outcome}"}'
  CALLBACK_HEADERS=("idempotency-key: \"{order_id}/shipping\"" ${header:+"$header"})

  export PB_SUBMIT_URL="$api/orders"
  export PB_SUBMIT_BODY='{"orderId":"{order_id}","workflow":"order-saga","customer":{"id":"c1"},"currency":"EUR","lines":[{"sku":"s1","quantity":1,"unitPrice":"10.00"}]}'
  export PB_SUBMIT_OK=202 PB_SUBMIT_ID=/orderId
  export PB_STATUS_URL="$api/orders/{id}?wait=10" PB_STATUS_POINTER=/state
  export PB_STATUS_COMPLETED=COMPLETED PB_STATUS_COMPENSATED=CANCELED PB_STATUS_FAILED=STUCK
  export PB_SUBMIT_HEADERS=$header PB_STATUS_HEADERS=$header
}

start_tenuto() {
  local api=http://127.0.0.1:$((PORT + 1))
  let_postgres_in
  spawn tenuto env PARTICIPANTS_URL="$STUB" TENUTO_EVENTSTORE_PORT=$((PORT + 2)) ${TENUTO_WITH:-} \
    "${TENUTO_BIN:-$BIN/tenuto}" dev --no-samples --listen 127.0.0.1:$((PORT + 1)) --data "$CELL/data" --workflows "$TENUTO_HERE/workflows"
  local tenuto=$LAST_PID
  wait_http "$api/readyz" 120
  PEER_GROUPS=("tenuto=$tenuto")
  PEER_DATA=("$CELL/data/event-store" "$CELL/data/postgres")
  calls "$api"
}

peer_start() { start_tenuto; }

peer_stats() {
  echo "$WARMUP warm-up orders are included"
  # Clock ticks (10 ms), user and system, by process: Tenuto itself, and each of its Postgres.
  local tenuto=${PEER_GROUPS[0]#*=} p
  for p in "$tenuto" $(pgrep -P "$tenuto") $(pgrep -P "$tenuto" | xargs -rn1 pgrep -P); do
    awk '{ printf "%s ticks: user %s system %s\n", cmd, $14, $15 }' cmd="$(tr '\0' ' ' <"/proc/$p/cmdline" | cut -c1-60)" \
      <(sed 's/(.*)/x/' "/proc/$p/stat")
  done
}
