"""What a stream says about itself, and what the server makes of it."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import StreamIsDeletedError, WrongCurrentVersionError

from store import StoreTest, events, ids, unique


class Metadata(StoreTest):
    def setUp(self):
        self.stream = unique("metadata")

    def set(self, metadata, expected=StreamState.ANY):
        self.client.set_stream_metadata(self.stream, metadata=metadata, current_version=expected)

    def test_it_is_read_as_it_was_set_with_its_version(self):
        self.assertEqual(self.client.get_stream_metadata(self.stream), ({}, StreamState.NO_STREAM))
        self.set({"$maxCount": 5, "owner": "shipping"}, StreamState.NO_STREAM)
        self.assertEqual(self.client.get_stream_metadata(self.stream), ({"$maxCount": 5, "owner": "shipping"}, 0))
        self.set({"owner": "orders"}, 0)
        self.assertEqual(self.client.get_stream_metadata(self.stream), ({"owner": "orders"}, 1))

    def test_it_is_not_set_over_what_one_has_not_seen(self):
        self.set({"owner": "shipping"})
        with self.assertRaises(WrongCurrentVersionError):
            self.set({"owner": "orders"}, StreamState.NO_STREAM)

    def test_no_more_events_are_shown_than_it_allows(self):
        new = events(5)
        self.append(self.stream, new, StreamState.NO_STREAM)
        self.set({"$maxCount": 2})
        self.assertEqual(ids(self.client.get_stream(self.stream)), ids(new[3:]))
        self.assertEqual(ids(self.client.get_stream(self.stream, backwards=True)), ids(reversed(new[3:])))
        more = events(1)
        self.append(self.stream, more, 4)
        self.assertEqual(ids(self.client.get_stream(self.stream)), ids([new[4], more[0]]))

    def test_what_is_before_its_truncation_is_not_shown(self):
        new = events(5)
        self.append(self.stream, new, StreamState.NO_STREAM)
        self.set({"$tb": 4})
        self.assertEqual(ids(self.client.get_stream(self.stream)), ids(new[4:]))

    def test_it_goes_with_a_tombstone(self):
        self.append(self.stream, events(1), StreamState.NO_STREAM)
        self.client.tombstone_stream(self.stream, current_version=0)
        with self.assertRaises(StreamIsDeletedError):
            self.client.get_stream_metadata(self.stream)
