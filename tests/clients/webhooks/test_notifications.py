"""Notifications of a webhook, checked by the official library of Standard Webhooks."""

import json
import os
import threading
import time
import unittest
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BASE = os.environ["TENUTO_QUERIES"]
LIMIT = 60.0


class Receiver(ThreadingHTTPServer):
    """Keeps each notification, and refuses the first one for now."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.received = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((dict(self.headers.items()), body))
        self.send_response(503 if len(self.server.received) == 1 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def call(method, path, kind, body):
    request = urllib.request.Request(f"{BASE}{path}", data=body, headers={"content-type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=LIMIT) as response:
        text = response.read()
        return json.loads(text) if text else None


class Notifications(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        server = Receiver()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        name = f"notified-{uuid.uuid4().hex}"
        workflow = f"workflow: {name}\nversion: 1\nparticipants: {{}}\nsteps: {{ pause: {{ wait: 1ms, sets-status: Late }} }}"
        call("POST", "/workflows", "application/yaml", workflow.encode())
        settings = {"url": f"http://127.0.0.1:{server.server_port}/hooks", "workflow": name}
        made = call("POST", "/webhooks", "application/json", json.dumps(settings).encode())
        cls.addClassCleanup(call, "DELETE", f"/webhooks/{made['id']}", "application/json", None)
        cls.secret = made["secret"]
        order = {
            "workflow": name,
            "customer": {"id": "ZB", "name": "Zoë “Beeblebrox” 🚀"},
            "currency": "EUR",
            "lines": [{"sku": "11", "quantity": 1, "unitPrice": "14.00"}],
        }
        cls.order = call("POST", "/orders", "application/json", json.dumps(order).encode())["orderId"]
        end = time.monotonic() + LIMIT
        # The first one comes twice.
        while len(server.received) < 4:
            assert time.monotonic() < end, f"{len(server.received)} notifications arrived"
            time.sleep(0.02)
        cls.received = server.received[:4]

    def test_each_notification_is_right_and_in_order(self):
        notifications = [Webhook(self.secret).verify(body, headers) for headers, body in self.received]
        types = [notification["type"] for notification in notifications]
        self.assertEqual(types, ["order.placed", "order.placed", "order.status_changed", "order.ended"])
        self.assertEqual({notification["data"]["orderId"] for notification in notifications}, {self.order})
        self.assertEqual(notifications[-1]["data"]["status"], "Late")
        self.assertFalse(any("Beeblebrox" in body.decode() for _, body in self.received))

    def test_attempts_have_one_id_and_notifications_have_their_own(self):
        ids = [{name.lower(): value for name, value in headers.items()}["webhook-id"] for headers, _ in self.received]
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(len(set(ids)), 3)

    def test_another_secret_or_a_changed_body_is_wrong(self):
        headers, body = self.received[0]
        with self.assertRaises(WebhookVerificationError):
            Webhook(self.secret).verify(body + b" ", headers)
        with self.assertRaises(WebhookVerificationError):
            Webhook("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB").verify(body, headers)
