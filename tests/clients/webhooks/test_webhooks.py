"""Requests to a participant, checked by the official library of Standard Webhooks."""

import json
import os
import threading
import time
import unittest
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BASE = os.environ["TENUTO_QUERIES"]
# The new and the old secret of the participant, as the server's file has them.
SECRETS = os.environ["TENUTO_WEBHOOK_SECRETS"].split()
PARTICIPANT = "webhooks"
LIMIT = 60.0


class Participant(HTTPServer):
    """Keeps each request, and refuses the first one for now."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((dict(self.headers.items()), body))
        self.send_response(503 if len(self.server.requests) == 1 else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def post(path, kind, body):
    request = urllib.request.Request(f"{BASE}{path}", data=body, headers={"content-type": kind})
    with urllib.request.urlopen(request, timeout=LIMIT) as response:
        return json.load(response)


class Webhooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        server = Participant()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        name = f"webhooks-{uuid.uuid4().hex}"
        workflow = f"""workflow: {name}
version: 1
participants: {{ {PARTICIPANT}: {{ url: "http://127.0.0.1:{server.server_port}" }} }}
steps: {{ act: {{ call: {PARTICIPANT}.act, with: {{ name: order.customer.name }}, retry: {{ initial: 100ms }} }} }}"""
        post("/workflows", "application/yaml", workflow.encode())
        order = {
            "workflow": name,
            "customer": {"id": "ZB", "name": "Zoë “Beeblebrox” 🚀"},
            "currency": "EUR",
            "lines": [{"sku": "11", "quantity": 1, "unitPrice": "14.00"}],
        }
        post("/orders", "application/json", json.dumps(order).encode())
        end = time.monotonic() + LIMIT
        while len(server.requests) < 2:
            assert time.monotonic() < end, "the requests did not arrive"
            time.sleep(0.02)
        cls.requests = server.requests[:2]

    def test_each_attempt_is_right_with_each_secret(self):
        for headers, body in self.requests:
            for secret in SECRETS:
                checked = Webhook(secret).verify(body, headers)
                self.assertEqual(checked["input"]["name"], "Zoë “Beeblebrox” 🚀")

    def test_attempts_have_one_id_which_is_the_idempotency_key(self):
        first, second = [{name.lower(): value for name, value in headers.items()} for headers, _ in self.requests]
        self.assertEqual(first["webhook-id"], second["webhook-id"])
        self.assertEqual(f'"{first["webhook-id"]}"', first["idempotency-key"])

    def test_a_changed_request_is_wrong(self):
        headers, body = self.requests[0]
        changed = {name: value for name, value in headers.items() if name.lower() != "webhook-id"}
        for wrong in [(body + b" ", headers), (body, {**changed, "webhook-id": "another"})]:
            with self.assertRaises(WebhookVerificationError):
                Webhook(SECRETS[0]).verify(*wrong)
        with self.assertRaises(WebhookVerificationError):
            Webhook("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB").verify(body, headers)
