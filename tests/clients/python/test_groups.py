"""Where groups begin, and which settings they may have."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import KurrentDBClientError

from store import LIMIT, StoreTest, event, events, ids, take, unique


class Groups(StoreTest):
    def setUp(self):
        self.stream, self.group = unique("groups"), unique("group")
        self.positions = [self.append(self.stream, [event(kind)], StreamState.ANY) for kind in ("First", "Failed", "Last")]

    def first_of_all(self):
        with self.client.read_subscription_to_all(self.group, max_ack_delay=0.01, timeout=LIMIT) as consumer:
            (one,) = take(consumer, 1)
            consumer.ack(one)
            return one.type

    def test_a_group_of_all_begins_with_the_event_at_its_position(self):
        self.client.create_subscription_to_all(self.group, commit_position=self.positions[1], timeout=LIMIT)
        self.assertEqual(self.first_of_all(), "Failed")

    def test_a_group_of_all_that_is_moved_begins_with_the_event_at_its_new_position(self):
        self.client.create_subscription_to_all(self.group, from_end=True, timeout=LIMIT)
        self.client.update_subscription_to_all(self.group, commit_position=self.positions[1], timeout=LIMIT)
        self.assertEqual(self.first_of_all(), "Failed")

    def test_a_group_beyond_the_end_of_the_log_is_refused(self):
        with self.assertRaises(KurrentDBClientError):
            self.client.create_subscription_to_all(self.group, commit_position=1 << 40, timeout=LIMIT)

    def test_settings_that_cannot_work_are_refused(self):
        for settings in ({"consumer_strategy": "Nearest"}, {"history_buffer_size": 20, "read_batch_size": 20}):
            with self.subTest(settings), self.assertRaises(KurrentDBClientError):
                self.client.create_subscription_to_stream(self.group, self.stream, timeout=LIMIT, **settings)

    def test_a_lower_bound_of_checkpoints_may_lie_above_the_upper_one(self):
        self.client.create_subscription_to_stream(
            self.group, self.stream, min_checkpoint_count=10, max_checkpoint_count=1, timeout=LIMIT
        )
        info = self.client.get_subscription_info(self.group, self.stream, timeout=LIMIT)
        self.assertEqual((info.min_checkpoint_count, info.max_checkpoint_count), (10, 1))

    def test_what_was_parked_is_replayed_as_a_link_with_the_event(self):
        self.client.create_subscription_to_stream(self.group, self.stream, timeout=LIMIT)
        with self.client.read_subscription_to_stream(self.group, self.stream, max_ack_delay=0.01, timeout=LIMIT) as consumer:
            parked = next(consumer)
            consumer.nack(parked, action="park")
            for one in take(consumer, 2):
                consumer.ack(one)
            # The answers are on their way: what is not parked yet cannot be replayed.
            while self.client.get_subscription_info(self.group, self.stream, timeout=LIMIT).parked_message_count < 1:
                pass
            self.client.replay_parked_events(self.group, self.stream, timeout=LIMIT)
            (replayed,) = take(consumer, 1)
            consumer.ack(replayed)
        self.assertEqual(replayed.id, parked.id)
        self.assertEqual(replayed.link.stream_name, f"$persistentsubscription-{self.stream}::{self.group}-parked")
