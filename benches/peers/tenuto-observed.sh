# Tenuto as in `tenuto.sh`, watched as a production is: every line at `info`, as JSON; each order a trace that is sent to a collector;
# metrics read every five seconds. What that costs is the difference of these two. The collector is a relay that takes everything.
# shellcheck shell=bash disable=SC2034,SC2153
# shellcheck source=benches/peers/tenuto.sh
source "$(dirname "${BASH_SOURCE[0]}")/tenuto.sh"

COLLECTOR_PORT=$((PORT + 3))
TENUTO_WITH="TENUTO_LOG=info TENUTO_LOG_FORMAT=json TENUTO_OTLP_ENDPOINT=http://127.0.0.1:$COLLECTOR_PORT"

peer_build() { need haproxy haproxy && cargo_build "$TENUTO_REPO"; }

collector() {
  cat >"$CELL/collector.conf" <<END
global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  timeout http-keep-alive 10m
frontend traces
  bind 127.0.0.1:$COLLECTOR_PORT
  option http-buffer-request
  http-request return status 200 content-type application/x-protobuf
END
  spawn collector haproxy -db -f "$CELL/collector.conf"
}

# scrape URL: reads the metrics as Prometheus does, until it is ended.
scrape() {
  while sleep 5; do curl -fsS -m 4 -o "$CELL/metrics.txt" "$1" || true; done
}

peer_start() {
  collector
  start_tenuto
  spawn scraper scrape "http://127.0.0.1:$((PORT + 1))/metrics"
}
