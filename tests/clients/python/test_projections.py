"""The system's projections, where the server runs them."""

import time
import unittest

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import NotFoundError

from store import LIMIT, StoreTest, events, ids, take, unique


class SystemProjections(StoreTest):
    def links(self, stream, count):
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                read = self.client.get_stream(stream, resolve_links=True)
            except NotFoundError:
                read = ()
            if len(read) >= count:
                return read
            self.assertLess(time.monotonic(), deadline, stream)

    def setUp(self):
        try:
            self.client.get_stream("$streams", limit=1)
        except NotFoundError:
            self.append(unique("any"), events(1), StreamState.ANY)
            time.sleep(1)
            try:
                self.client.get_stream("$streams", limit=1)
            except NotFoundError:
                raise unittest.SkipTest("the server runs no system projections") from None

    def test_a_category_has_the_events_of_its_streams_in_their_order(self):
        category, new = unique("category").replace("-", ""), events(3)
        self.append(f"{category}-1", new[:2], StreamState.NO_STREAM)
        self.append(f"{category}-2", new[2:], StreamState.NO_STREAM)
        linked = self.links(f"$ce-{category}", 3)
        self.assertEqual(ids(linked), ids(new))
        self.assertEqual({one.link.stream_name for one in linked}, {f"$ce-{category}"})

    def test_a_subscriber_to_a_category_is_sent_what_comes(self):
        category, new = unique("category").replace("-", ""), events(2)
        self.append(f"{category}-1", new[:1], StreamState.NO_STREAM)
        with self.client.subscribe_to_stream(f"$ce-{category}", resolve_links=True, timeout=LIMIT) as subscription:
            self.assertEqual(ids(take(subscription, 1)), ids(new[:1]))
            self.append(f"{category}-2", new[1:], StreamState.NO_STREAM)
            self.assertEqual(ids(take(subscription, 1)), ids(new[1:]))

    def test_a_projection_is_switched_off_and_on_and_catches_up(self):
        category, new = unique("category").replace("-", ""), events(2)
        self.append(f"{category}-1", new[:1], StreamState.NO_STREAM)
        self.links(f"$ce-{category}", 1)
        self.client.disable_projection("$by_category", timeout=LIMIT)
        try:
            self.status_becomes("Stopped")
            self.append(f"{category}-2", new[1:], StreamState.NO_STREAM)
            # Another projection has come past the event.
            self.linked_in("$streams", f"{category}-2")
            self.assertEqual(ids(self.links(f"$ce-{category}", 1)), ids(new[:1]))
        finally:
            self.client.enable_projection("$by_category", timeout=LIMIT)
        self.assertEqual(ids(self.links(f"$ce-{category}", 2)), ids(new))
        self.status_becomes("Running")

    def test_the_systems_projections_are_listed(self):
        listed = {one.name for one in self.client.list_all_projection_statistics(timeout=LIMIT)}
        self.assertLessEqual({"$by_category", "$by_correlation_id", "$by_event_type", "$streams"}, listed)

    def status_becomes(self, status):
        deadline = time.monotonic() + LIMIT
        while not (
            now := self.client.get_projection_statistics("$by_category", timeout=LIMIT).status
        ).startswith(status):
            self.assertLess(time.monotonic(), deadline, now)

    def linked_in(self, links, stream):
        deadline = time.monotonic() + LIMIT
        while all(
            link.data.decode() != f"0@{stream}"
            for link in self.client.get_stream(links, backwards=True, limit=100)
        ):
            self.assertLess(time.monotonic(), deadline, stream)
