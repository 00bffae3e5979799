"""Deletes: soft, after which a stream may begin again, and for good."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import FailedPreconditionError, NotFoundError, StreamIsDeletedError, WrongCurrentVersionError

from store import LIMIT, StoreTest, event, events, ids, unique


class Deletes(StoreTest):
    def setUp(self):
        self.stream, self.new = unique("delete"), events(3)
        self.append(self.stream, self.new, StreamState.NO_STREAM)

    def delete(self, expected):
        self.client.delete_stream(self.stream, current_version=expected, timeout=LIMIT)

    def tombstone(self, expected):
        self.client.tombstone_stream(self.stream, current_version=expected, timeout=LIMIT)

    def test_a_deleted_stream_is_not_found_and_begins_again_where_it_ended(self):
        self.delete(2)
        with self.assertRaises(NotFoundError):
            self.client.get_stream(self.stream)
        self.assertIs(self.client.get_current_version(self.stream), StreamState.NO_STREAM)
        again = events(2)
        self.append(self.stream, again, StreamState.NO_STREAM)
        read = self.client.get_stream(self.stream)
        self.assertEqual(ids(read), ids(again))
        self.assertEqual([one.stream_position for one in read], [3, 4])

    def test_every_expectation_that_holds_is_kept_to(self):
        for expected in (StreamState.ANY, StreamState.EXISTS, 2):
            with self.subTest(expected):
                self.setUp()
                self.delete(expected)
                with self.assertRaises(NotFoundError):
                    self.client.get_stream(self.stream)

    def test_an_expectation_that_does_not_hold_is_refused_with_what_is_there(self):
        for way in (self.delete, self.tombstone):
            with self.subTest(way.__name__), self.assertRaises(WrongCurrentVersionError) as refused:
                way(1)
            self.assertEqual(refused.exception.stream_name, self.stream)
            self.assertEqual((refused.exception.expected_version, refused.exception.actual_version), (1, 2))
        self.assertEqual(ids(self.client.get_stream(self.stream)), ids(self.new))

    def test_what_never_was_cannot_be_deleted(self):
        self.stream = unique("delete")
        with self.assertRaises(NotFoundError):
            self.delete(0)

    def test_a_tombstone_is_for_good(self):
        self.tombstone(2)
        refused = {
            "read": lambda: self.client.get_stream(self.stream),
            "append": lambda: self.append(self.stream, events(1), StreamState.NO_STREAM),
            "delete": lambda: self.delete(StreamState.ANY),
            "tombstone": lambda: self.tombstone(StreamState.ANY),
            "subscribe": lambda: next(self.client.subscribe_to_stream(self.stream, timeout=LIMIT)),
        }
        for name, call in refused.items():
            with self.subTest(name), self.assertRaises(StreamIsDeletedError):
                call()
        # For an event that is not in a list the client has no separate error.
        with self.assertRaisesRegex(FailedPreconditionError, "is deleted"):
            self.client.append_event(self.stream, event=event(), current_version=StreamState.ANY)

    def test_what_never_was_can_be_kept_from_ever_being(self):
        self.stream = unique("delete")
        self.tombstone(StreamState.NO_STREAM)
        with self.assertRaises(StreamIsDeletedError):
            self.append(self.stream, events(1), StreamState.NO_STREAM)
