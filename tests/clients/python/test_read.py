"""Reads of one stream."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import NotFoundError

from store import StoreTest, event, events, ids, unique


class Reads(StoreTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stream, cls.new = unique("read"), events(10)
        cls.client.append_to_stream(cls.stream, events=cls.new, current_version=StreamState.NO_STREAM)

    def revisions(self, **how):
        return [one.stream_position for one in self.client.get_stream(self.stream, **how)]

    def test_forwards_it_is_read_in_the_order_of_its_appends(self):
        self.assertEqual(ids(self.client.get_stream(self.stream)), ids(self.new))

    def test_backwards_the_last_comes_first(self):
        self.assertEqual(ids(self.client.get_stream(self.stream, backwards=True)), ids(reversed(self.new)))

    def test_a_read_begins_at_the_revision_it_names(self):
        self.assertEqual(self.revisions(stream_position=7), [7, 8, 9])
        self.assertEqual(self.revisions(stream_position=2, backwards=True), [2, 1, 0])

    def test_a_read_ends_at_its_limit(self):
        self.assertEqual(self.revisions(limit=3), [0, 1, 2])
        self.assertEqual(self.revisions(limit=2, backwards=True), [9, 8])
        self.assertEqual(self.revisions(limit=2, stream_position=4), [4, 5])

    def test_beyond_the_end_there_is_nothing(self):
        self.assertEqual(self.revisions(stream_position=10), [])
        self.assertEqual(self.revisions(stream_position=12, backwards=True, limit=2), [9, 8])

    def test_a_stream_that_never_was_is_not_found(self):
        missing = unique("read")
        with self.assertRaises(NotFoundError):
            self.client.get_stream(missing)
        self.assertIs(self.client.get_current_version(missing), StreamState.NO_STREAM)

    def test_its_current_version_is_the_revision_of_the_last(self):
        self.assertEqual(self.client.get_current_version(self.stream), 9)

    def test_a_link_is_read_as_itself_or_as_what_it_leads_to(self):
        links = unique("links")
        link = event("$>", data=f"3@{self.stream}".encode())
        self.append(links, [link], StreamState.NO_STREAM)
        (unresolved,) = self.client.get_stream(links)
        self.assertTrue(unresolved.is_link_event)
        self.assertEqual((unresolved.id, unresolved.data), (link.id, link.data))
        (resolved,) = self.client.get_stream(links, resolve_links=True)
        self.assertEqual((resolved.id, resolved.stream_name, resolved.stream_position), (self.new[3].id, self.stream, 3))
        self.assertEqual((resolved.link.id, resolved.link.stream_name), (link.id, links))
        self.assertEqual(resolved.ack_id, link.id)
