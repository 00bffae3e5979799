"""What the tests share: the client, names that no other test has, and events."""

import faulthandler
import itertools
import os
import unittest
import uuid
from typing import Any

from kurrentdbclient import KurrentDBClient, NewEvent, RecordedEvent

# Seconds that one thing may take before its test has failed.
LIMIT = 30.0
# The client's reads have no deadline of their own: a run that hangs ends here, and says where.
faulthandler.dump_traceback_later(300, exit=True)


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex}"


def event(event_type: str = "Happened", **given: Any) -> NewEvent:
    given = {"data": b'{"sku":"11"}', "metadata": b'{"$correlationId":"c"}', **given}
    return NewEvent(type=event_type, **given)


def events(count: int) -> list[NewEvent]:
    return [event(data=b'{"number":%d}' % number) for number in range(count)]


def ids(several: Any) -> list[uuid.UUID]:
    return [one.id for one in several]


def take(subscription: Any, count: int) -> list[RecordedEvent]:
    return list(itertools.islice(subscription, count))


class StoreTest(unittest.TestCase):
    client: KurrentDBClient

    @classmethod
    def setUpClass(cls) -> None:
        cls.client = KurrentDBClient(os.environ["TENUTO_EVENTSTORE"])
        cls.addClassCleanup(cls.client.close)

    def append(self, stream: str, several: list[NewEvent], expected: Any) -> int:
        return self.client.append_to_stream(stream, events=several, current_version=expected, timeout=LIMIT)
