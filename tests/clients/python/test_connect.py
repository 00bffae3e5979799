"""How a client finds the server."""

import os
from urllib.parse import urlsplit

from kurrentdbclient import KurrentDBClient, StreamState

from store import LIMIT, StoreTest, events, unique


class Connections(StoreTest):
    def test_gossip_names_a_leader(self):
        members = self.client.read_gossip(timeout=LIMIT)
        self.assertEqual([member.state for member in members].count("NODE_STATE_LEADER"), 1)

    def test_a_client_that_has_to_discover_the_leader_finds_it(self):
        given = urlsplit(os.environ["TENUTO_EVENTSTORE"])
        host = given.netloc.rpartition("@")[2]
        several = given._replace(netloc=f"{given.netloc},{host}")
        client = KurrentDBClient(several.geturl())
        self.addCleanup(client.close)
        stream = unique("connect")
        client.append_to_stream(stream, events=events(1), current_version=StreamState.NO_STREAM, timeout=LIMIT)
        self.assertEqual(self.client.get_current_version(stream), 0)

    def test_a_client_that_has_reconnected_goes_on(self):
        stream = unique("connect")
        self.append(stream, events(1), StreamState.NO_STREAM)
        self.client.reconnect()
        self.append(stream, events(1), 0)
        self.assertEqual(self.client.get_current_version(stream), 1)
