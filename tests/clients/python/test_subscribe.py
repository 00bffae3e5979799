"""Subscriptions: first what is there, then what comes."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import CancelledByClientError, GrpcDeadlineExceededError

from store import LIMIT, StoreTest, event, events, ids, take, unique


class Subscriptions(StoreTest):
    def test_a_stream_is_sent_from_its_start_and_then_as_it_grows(self):
        stream, new = unique("subscribe"), events(5)
        self.append(stream, new[:3], StreamState.NO_STREAM)
        with self.client.subscribe_to_stream(stream, include_caught_up=True, timeout=LIMIT) as subscription:
            self.assertTrue(subscription.subscription_id)
            self.assertEqual(ids(take(subscription, 3)), ids(new[:3]))
            self.assertTrue(next(subscription).is_caught_up)
            where = self.append(stream, new[3:], 2)
            live = take(subscription, 2)
        self.assertEqual(ids(live), ids(new[3:]))
        self.assertEqual([one.stream_position for one in live], [3, 4])
        self.assertEqual(live[1].commit_position, where)

    def test_a_stream_is_waited_for(self):
        stream = unique("subscribe")
        with self.client.subscribe_to_stream(stream, include_caught_up=True, timeout=LIMIT) as subscription:
            self.assertTrue(next(subscription).is_caught_up)
            new = events(1)
            self.append(stream, new, StreamState.NO_STREAM)
            self.assertEqual(ids(take(subscription, 1)), ids(new))

    def test_a_revision_is_what_the_subscriber_has_already(self):
        stream, new = unique("subscribe"), events(4)
        self.append(stream, new, StreamState.NO_STREAM)
        with self.client.subscribe_to_stream(stream, stream_position=1, timeout=LIMIT) as subscription:
            self.assertEqual(ids(take(subscription, 2)), ids(new[2:]))

    def test_from_the_end_only_what_comes_is_sent(self):
        stream, new = unique("subscribe"), events(2)
        self.append(stream, new[:1], StreamState.NO_STREAM)
        with self.client.subscribe_to_stream(
            stream, from_end=True, include_caught_up=True, timeout=LIMIT
        ) as subscription:
            self.assertTrue(next(subscription).is_caught_up)
            self.append(stream, new[1:], 0)
            self.assertEqual(ids(take(subscription, 1)), ids(new[1:]))

    def test_links_are_followed_as_they_come(self):
        stream, links, new = unique("subscribe"), unique("links"), events(1)
        self.append(stream, new, StreamState.NO_STREAM)
        with self.client.subscribe_to_stream(links, resolve_links=True, timeout=LIMIT) as subscription:
            self.append(links, [event("$>", data=f"0@{stream}".encode())], StreamState.NO_STREAM)
            (resolved,) = take(subscription, 1)
        self.assertEqual(resolved.id, new[0].id)
        self.assertEqual(resolved.link.stream_name, links)

    def test_all_is_sent_from_a_position_through_a_filter_of_streams(self):
        kind = unique("subscribe")
        ours, others = f"{kind}-1", unique("other")
        new = events(4)
        after = self.append(ours, new[:1], StreamState.NO_STREAM)
        self.append(ours, new[1:3], 0)
        with self.client.subscribe_to_all(
            commit_position=after,
            filter_include=[kind],
            filter_by_stream_name=True,
            filter_by_prefix=True,
            include_caught_up=True,
            timeout=LIMIT,
        ) as subscription:
            self.assertEqual(ids(take(subscription, 2)), ids(new[1:3]))
            self.assertTrue(next(subscription).is_caught_up)
            self.append(others, events(1), StreamState.NO_STREAM)
            self.append(ours, new[3:], 2)
            self.assertEqual(ids(take(subscription, 1)), ids(new[3:]))

    def test_all_is_sent_through_a_filter_of_types(self):
        stream, kind = unique("subscribe"), unique("Type")
        new = [event(f"{kind}.A"), event(f"{kind}.B"), event(f"{kind}.A")]
        self.append(stream, new[:2], StreamState.NO_STREAM)
        with self.client.subscribe_to_all(filter_include=[rf"{kind}\.A"], timeout=LIMIT) as subscription:
            self.assertEqual(ids(take(subscription, 1)), [new[0].id])
            self.append(stream, new[2:], 1)
            self.assertEqual(ids(take(subscription, 1)), [new[2].id])

    def test_a_checkpoint_says_how_far_a_filter_has_been(self):
        stream = unique("subscribe")
        before = self.client.get_commit_position()
        last = self.append(stream, events(20), StreamState.NO_STREAM)
        with self.client.subscribe_to_all(
            commit_position=before,
            filter_include=[unique("NoSuchType")],
            include_checkpoints=True,
            window_size=1,
            checkpoint_interval_multiplier=1,
            timeout=LIMIT,
        ) as subscription:
            positions = []
            while not positions or positions[-1] < last:
                checkpoint = next(subscription)
                self.assertTrue(checkpoint.is_checkpoint)
                positions.append(checkpoint.commit_position)
        self.assertEqual(positions, sorted(set(positions)))
        self.assertGreater(positions[0], before)

    def test_a_deadline_ends_a_subscription(self):
        with self.client.subscribe_to_stream(unique("subscribe"), timeout=0.2) as subscription:
            with self.assertRaises(GrpcDeadlineExceededError):
                next(subscription)

    def test_a_subscription_that_is_ended_sends_nothing_more(self):
        stream = unique("subscribe")
        subscription = self.client.subscribe_to_stream(stream, timeout=LIMIT)
        subscription.stop()
        self.append(stream, events(1), StreamState.NO_STREAM)
        with self.assertRaises((StopIteration, CancelledByClientError)):
            next(subscription)
