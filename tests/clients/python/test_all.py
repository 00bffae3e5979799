"""Reads of `$all`, the order of everything."""

from kurrentdbclient import StreamState

from store import StoreTest, event, ids, unique


class ReadsOfAll(StoreTest):
    """Two streams of a kind of their own, appended to in turn, with two types of events."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kind = unique("all")
        cls.placed, cls.charged = f"{cls.kind}.Placed", f"{cls.kind}.Charged"
        cls.streams = [f"{cls.kind}-{number}" for number in range(2)]
        cls.new = [event(cls.placed), event(cls.placed), event(cls.charged), event(cls.charged)]
        cls.positions = [
            cls.client.append_to_stream(cls.streams[number % 2], events=one, current_version=StreamState.ANY)
            for number, one in enumerate(cls.new)
        ]

    def read(self, *include, **how):
        return list(self.client.read_all(filter_include=include, **how))

    def of_kind(self, **how):
        return self.read(self.kind, filter_by_stream_name=True, filter_by_prefix=True, **how)

    def test_positions_grow_from_append_to_append(self):
        self.assertEqual(self.positions, sorted(set(self.positions)))

    def test_a_prefix_of_stream_names_chooses_streams(self):
        read = self.of_kind()
        self.assertEqual(ids(read), ids(self.new))
        self.assertEqual([one.commit_position for one in read], self.positions)
        one_stream = self.read(self.streams[1], filter_by_stream_name=True, filter_by_prefix=True)
        self.assertEqual(ids(one_stream), ids(self.new[1::2]))

    def test_an_expression_chooses_types(self):
        self.assertEqual(ids(self.read(rf"{self.kind}\.Ch.*ed")), ids(self.new[2:]))

    def test_an_expression_chooses_streams(self):
        self.assertEqual(ids(self.read(rf"{self.kind}-[1-9]", filter_by_stream_name=True)), ids(self.new[1::2]))

    def test_an_expression_leaves_types_out(self):
        """The client asks so with a look-ahead, and, when it is not asked for anything, to leave out system events."""
        here = self.positions[0]
        rest = self.client.read_all(commit_position=here, filter_exclude=[r"\$.+", rf"{self.kind}\.Placed"])
        self.assertEqual([one.id for one in rest if one.type.startswith(self.kind)], ids(self.new[2:]))
        everything = list(self.client.read_all(commit_position=here))
        self.assertFalse([one for one in everything if one.is_system_event])
        self.assertLessEqual(set(ids(self.new)), set(ids(everything)))

    def test_a_read_begins_at_the_position_it_names(self):
        """Forwards with the event there, backwards with the one before it."""
        self.assertEqual(ids(self.of_kind(commit_position=self.positions[2])), ids(self.new[2:]))
        before = self.of_kind(commit_position=self.positions[2], backwards=True)
        self.assertEqual(ids(before), ids([self.new[1], self.new[0]]))

    def test_backwards_the_last_comes_first_and_a_limit_ends_it(self):
        self.assertEqual(ids(self.of_kind(backwards=True)), ids(reversed(self.new)))
        self.assertEqual(ids(self.of_kind(backwards=True, limit=1)), [self.new[3].id])
        self.assertEqual(ids(self.of_kind(limit=3)), ids(self.new[:3]))

    def test_the_commit_position_is_that_of_the_last_event(self):
        last = self.client.get_commit_position(filter_include=[rf"{self.kind}.*"])
        self.assertEqual(last, self.positions[3])
