"""Appends: what they answer, what they refuse, and that a repeat adds nothing."""

from kurrentdbclient import NewEvents, StreamState
from kurrentdbclient.exceptions import GrpcError, MaximumAppendSizeExceededError, WrongCurrentVersionError

from store import LIMIT, StoreTest, event, events, ids, unique


class Appends(StoreTest):
    def append_alone(self, stream, one, expected):
        """The call `Append`, which the client makes for an event that is not in a list."""
        return self.client.append_to_stream(stream, events=one, current_version=expected, timeout=LIMIT)

    def append_batch(self, stream, one, expected):
        """The call `BatchAppend`, which it makes for a list."""
        return self.append(stream, [one], expected)

    def each_way(self):
        for way in (self.append_alone, self.append_batch):
            with self.subTest(way.__name__):
                yield way, unique("append")

    def assert_conflict(self, append, stream, expected, actual):
        with self.assertRaises(WrongCurrentVersionError) as refused:
            append(stream, event(), expected)
        self.assertEqual(refused.exception.stream_name, stream)
        self.assertEqual(refused.exception.expected_version, expected)
        self.assertEqual(refused.exception.actual_version, actual)

    def test_an_event_is_read_as_it_was_appended_where_the_answer_says(self):
        for append, stream in self.each_way():
            new = event("Placed", data=b'{"sku":"\xe2\x98\x95"}')
            position = append(stream, new, StreamState.NO_STREAM)
            (read,) = self.client.get_stream(stream)
            self.assertEqual((read.commit_position, read.prepare_position), (position, position))
            self.assertEqual((read.stream_name, read.stream_position), (stream, 0))
            self.assertEqual((read.id, read.type), (new.id, "Placed"))
            self.assertEqual((read.data, read.metadata), (new.data, new.metadata))
            self.assertEqual(read.content_type, "application/json")
            self.assertIsNotNone(read.recorded_at)

    def test_bytes_that_are_not_json_stay_as_they_are(self):
        for append, stream in self.each_way():
            append(stream, event(data=b"\x00\xff", content_type="application/octet-stream"), StreamState.ANY)
            (read,) = self.client.get_stream(stream)
            self.assertEqual((read.data, read.content_type), (b"\x00\xff", "application/octet-stream"))

    def test_a_list_is_one_append(self):
        stream, new = unique("append"), events(50)
        position = self.append(stream, new, StreamState.NO_STREAM)
        read = self.client.get_stream(stream)
        self.assertEqual(ids(read), ids(new))
        self.assertEqual([one.stream_position for one in read], list(range(50)))
        self.assertEqual(read[-1].commit_position, position)

    def test_every_expectation_that_holds_is_kept_to(self):
        for append, stream in self.each_way():
            expectations = [StreamState.NO_STREAM, 0, StreamState.EXISTS, StreamState.ANY, 3]
            positions = [append(stream, event(), expected) for expected in expectations]
            self.assertEqual(positions, sorted(set(positions)))
            self.assertEqual(self.client.get_current_version(stream), 4)

    def test_an_expectation_that_does_not_hold_is_refused_with_what_is_there(self):
        for append, stream in self.each_way():
            self.assert_conflict(append, stream, 0, StreamState.NO_STREAM)
            self.assert_conflict(append, stream, StreamState.EXISTS, StreamState.NO_STREAM)
            append(stream, event(), StreamState.NO_STREAM)
            append(stream, event(), 0)
            self.assert_conflict(append, stream, StreamState.NO_STREAM, 1)
            self.assert_conflict(append, stream, 0, 1)
            self.assert_conflict(append, stream, 7, 1)
            self.assertEqual(len(self.client.get_stream(stream)), 2)

    def test_a_repeat_is_answered_like_the_first_and_adds_nothing(self):
        for append, stream in self.each_way():
            first, second = event(), event()
            where = append(stream, first, StreamState.NO_STREAM)
            append(stream, second, 0)
            self.assertEqual(append(stream, first, StreamState.NO_STREAM), where)
            self.assertEqual(append(stream, first, StreamState.ANY), where)
            self.assertEqual(ids(self.client.get_stream(stream)), [first.id, second.id])

    def test_a_list_is_repeated_as_a_whole_or_not_at_all(self):
        stream, new = unique("append"), events(3)
        where = self.append(stream, new, StreamState.NO_STREAM)
        self.assertEqual(self.append(stream, new, StreamState.NO_STREAM), where)
        with self.assertRaises(WrongCurrentVersionError):
            self.append(stream, [*new, event()], StreamState.NO_STREAM)
        self.assertEqual(ids(self.client.get_stream(stream)), ids(new))

    def test_what_is_too_large_is_refused_by_its_name(self):
        stream = unique("append")
        with self.assertRaises(MaximumAppendSizeExceededError):
            self.append(unique("append"), [event(data=b" " * (1 << 20))], StreamState.ANY)
            # Servers since 25.1 take 16 MiB an event.
            self.append(stream, [event(data=b" " * (40 << 20))], StreamState.ANY)
        self.assertEqual(self.client.get_current_version(stream), StreamState.NO_STREAM)

    def test_several_streams_at_once_are_appended_to_wholly_or_refused_as_unknown(self):
        """The call came after the 24.10 line, whose answer to it is that it does not know it."""
        streams = [unique("append"), unique("append")]
        several = [NewEvents(stream, [event()], StreamState.NO_STREAM) for stream in streams]
        try:
            self.client.multi_append_to_stream(several, timeout=LIMIT)
            expected = 0
        except GrpcError as unknown:
            self.assertIn("UNIMPLEMENTED", str(unknown))
            expected = StreamState.NO_STREAM
        self.assertEqual([self.client.get_current_version(stream) for stream in streams], [expected] * 2)
