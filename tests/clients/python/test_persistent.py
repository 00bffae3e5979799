"""Persistent subscriptions: groups of consumers that the server remembers."""

import time

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import AlreadyExistsError, MaximumSubscriptionsReachedError, NotFoundError

from store import LIMIT, StoreTest, event, events, ids, take, unique


class PersistentSubscriptions(StoreTest):
    def setUp(self):
        self.stream, self.group = unique("persistent"), unique("group")

    def create(self, **settings):
        self.client.create_subscription_to_stream(self.group, self.stream, timeout=LIMIT, **settings)

    def consume(self):
        return self.client.read_subscription_to_stream(self.group, self.stream, max_ack_delay=0.01, timeout=LIMIT)

    def info(self):
        return self.client.get_subscription_info(self.group, self.stream, timeout=LIMIT)

    def until(self, holds):
        """Answers of consumers are not answered: the group is asked until it has received them."""
        deadline = time.monotonic() + LIMIT
        while not holds(info := self.info()):
            self.assertLess(time.monotonic(), deadline, info)

    def fill(self, count):
        new = events(count)
        self.append(self.stream, new, StreamState.ANY)
        return new

    def test_a_group_is_sent_what_is_there_and_what_comes(self):
        before = self.fill(3)
        self.create()
        with self.consume() as consumer:
            self.assertTrue(consumer.subscription_id)
            for one in take(consumer, 3):
                self.assertEqual(one.id, before.pop(0).id)
                self.assertEqual(one.retry_count, 0)
                consumer.ack(one)
            after = self.fill(1)
            (live,) = take(consumer, 1)
            consumer.ack(live)
        self.assertEqual((live.id, live.stream_position), (after[0].id, 3))

    def test_a_group_begins_where_it_was_told(self):
        new = self.fill(4)
        self.create(stream_position=2)
        with self.consume() as consumer:
            self.assertEqual(ids(take(consumer, 2)), ids(new[2:]))

    def test_what_was_acknowledged_does_not_come_again(self):
        new = self.fill(3)
        self.create(min_checkpoint_count=1, max_checkpoint_count=1)
        with self.consume() as consumer:
            for one in take(consumer, 2):
                consumer.ack(one)
            self.until(lambda info: info.total_in_flight_messages == 1)
        with self.consume() as consumer:
            (one,) = take(consumer, 1)
            consumer.ack(one)
        self.assertEqual(one.id, new[2].id)

    def test_what_is_to_be_tried_again_comes_again_and_says_so(self):
        new = self.fill(1)
        self.create()
        with self.consume() as consumer:
            for attempt in range(3):
                one = next(consumer)
                self.assertEqual((one.id, one.retry_count), (new[0].id, attempt))
                consumer.nack(one, action="retry")
            consumer.ack(next(consumer))

    def test_what_is_not_answered_for_in_time_comes_again(self):
        new = self.fill(1)
        self.create(message_timeout=0.1)
        with self.consume() as consumer:
            attempts = take(consumer, 2)
            consumer.ack(attempts[1])
        self.assertEqual(ids(attempts), [new[0].id] * 2)
        self.assertEqual([one.retry_count for one in attempts], [0, 1])

    def test_what_is_skipped_does_not_come_again(self):
        new = self.fill(2)
        self.create()
        with self.consume() as consumer:
            consumer.nack(next(consumer), action="skip")
            second = next(consumer)
            consumer.ack(second)
            self.until(lambda info: info.total_in_flight_messages == 0)
        self.assertEqual(second.id, new[1].id)
        self.assertEqual(self.info().parked_message_count, 0)

    def test_what_is_parked_waits_until_it_is_replayed(self):
        new = self.fill(3)
        self.create()
        with self.consume() as consumer:
            for one in take(consumer, 3):
                if one.id == new[1].id:
                    consumer.nack(one, action="park")
                else:
                    consumer.ack(one)
            self.until(lambda info: info.parked_message_count == 1 and info.total_in_flight_messages == 0)
        parked = self.client.get_stream(f"$persistentsubscription-{self.stream}::{self.group}-parked", resolve_links=True)
        self.assertEqual(ids(parked), [new[1].id])
        with self.consume() as consumer:
            self.client.replay_parked_events(self.group, self.stream, timeout=LIMIT)
            (replayed,) = take(consumer, 1)
            consumer.ack(replayed)
            self.until(lambda info: info.parked_message_count == 0 and info.total_in_flight_messages == 0)
        self.assertEqual(replayed.id, new[1].id)

    def test_what_fails_too_often_is_parked(self):
        new = self.fill(2)
        self.create(max_retry_count=1)
        with self.consume() as consumer:
            for _ in range(2):
                consumer.nack(take_with_id(consumer, new[0].id), action="retry")
            self.until(lambda info: info.parked_message_count == 1)
            after = self.fill(1)
            self.assertEqual(ids([take_with_id(consumer, after[0].id)]), ids(after))

    def test_links_are_followed_and_acknowledged_as_links(self):
        target, new = unique("target"), events(1)
        self.append(target, new, StreamState.NO_STREAM)
        self.append(self.stream, [event("$>", data=f"0@{target}".encode())], StreamState.NO_STREAM)
        self.create(resolve_links=True)
        with self.consume() as consumer:
            (one,) = take(consumer, 1)
            self.assertEqual((one.id, one.link.stream_name), (new[0].id, self.stream))
            consumer.ack(one)
            after = self.fill(1)
            self.assertEqual(ids(take(consumer, 1)), ids(after))

    def test_no_more_consumers_are_let_in_than_the_group_allows(self):
        self.create(max_subscriber_count=1)
        with self.consume():
            with self.assertRaises(MaximumSubscriptionsReachedError):
                next(self.consume())

    def test_a_group_is_described_as_it_was_made(self):
        self.fill(2)
        self.create(
            stream_position=1,
            resolve_links=True,
            consumer_strategy="RoundRobin",
            message_timeout=7.0,
            max_retry_count=3,
            min_checkpoint_count=2,
            max_checkpoint_count=4,
            checkpoint_after=1.5,
            max_subscriber_count=6,
            live_buffer_size=60,
            read_batch_size=10,
            history_buffer_size=50,
        )
        info = self.info()
        self.assertEqual((info.event_source, info.group_name), (self.stream, self.group))
        self.assertEqual((info.start_from, info.resolve_links), ("1", True))
        self.assertEqual((info.consumer_strategy, info.max_subscriber_count), ("RoundRobin", 6))
        self.assertEqual((info.message_timeout, info.max_retry_count), (7.0, 3))
        self.assertEqual((info.min_checkpoint_count, info.max_checkpoint_count), (2, 4))
        self.assertEqual(info.checkpoint_after, 1.5)
        self.assertEqual((info.live_buffer_size, info.read_batch_size, info.history_buffer_size), (60, 10, 50))
        self.assertEqual(info.connections, [])

    def test_a_group_is_listed_with_those_of_its_stream_and_with_all(self):
        self.create()
        self.client.create_subscription_to_stream("other", self.stream, timeout=LIMIT)
        listed = self.client.list_subscriptions_to_stream(self.stream)
        self.assertEqual({info.group_name for info in listed}, {self.group, "other"})
        everything = {(info.event_source, info.group_name) for info in self.client.list_subscriptions()}
        self.assertLessEqual({(self.stream, self.group), (self.stream, "other")}, everything)

    def test_a_change_leaves_what_it_does_not_name(self):
        self.create(max_retry_count=3, message_timeout=7.0)
        self.client.update_subscription_to_stream(self.group, self.stream, max_retry_count=5, timeout=LIMIT)
        info = self.info()
        self.assertEqual((info.max_retry_count, info.message_timeout), (5, 7.0))

    def test_a_group_is_made_once_and_deleted_once(self):
        self.create()
        with self.assertRaises(AlreadyExistsError):
            self.create()
        self.client.delete_subscription(self.group, self.stream, timeout=LIMIT)
        with self.assertRaises(NotFoundError):
            self.info()
        with self.assertRaises(NotFoundError):
            self.client.delete_subscription(self.group, self.stream, timeout=LIMIT)
        with self.assertRaises(NotFoundError):
            self.client.replay_parked_events(self.group, self.stream, timeout=LIMIT)
        with self.assertRaises(NotFoundError):
            next(self.consume())
        self.assertEqual(self.client.list_subscriptions_to_stream(self.stream), [])

    def test_a_group_of_all_is_sent_what_its_filter_lets_through(self):
        kind = unique("persistent")
        here = self.client.get_commit_position()
        new = events(3)
        self.append(f"{kind}-1", new[:2], StreamState.NO_STREAM)
        self.append(unique("other"), events(1), StreamState.NO_STREAM)
        self.client.create_subscription_to_all(
            self.group, commit_position=here, filter_include=[f"{kind}.*"], filter_by_stream_name=True, timeout=LIMIT
        )
        with self.client.read_subscription_to_all(self.group, max_ack_delay=0.01, timeout=LIMIT) as consumer:
            for one in take(consumer, 2):
                consumer.ack(one)
            self.append(f"{kind}-2", new[2:], StreamState.NO_STREAM)
            (live,) = take(consumer, 1)
            consumer.ack(live)
        self.assertEqual(live.id, new[2].id)
        info = self.client.get_subscription_info(self.group, timeout=LIMIT)
        self.assertEqual((info.event_source, info.start_from), ("$all", f"C:{here}/P:{here}"))
        self.client.delete_subscription(self.group, timeout=LIMIT)
        with self.assertRaises(NotFoundError):
            self.client.get_subscription_info(self.group, timeout=LIMIT)


def take_with_id(consumer, wanted):
    """The next delivery of one event; others are acknowledged on the way."""
    for one in consumer:
        if one.id == wanted:
            return one
        consumer.ack(one)
    raise AssertionError("the consumer was sent nothing more")
