"""Rules of the server that JSON Schema has no keyword for.

A schema-valid request may be refused by them, and only by them: each is named with the operation, the
place and the words of its refusal.
"""

import json
import re

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

FREE_JSON = r"/data\b.*|/attributes\b.*|/where/attributes\b.*"

# Operation, pointer, detail.
RULES = [
    # What is registered, and what the views know, changes while the server runs.
    (r"POST /orders$", r"/workflow", r"there is no workflow"),
    (r"POST /orders/batch", r"/where/.*", r"no order|no workflow|no step"),
    # What is on record: the outcomes that the order's workflow has, and other content under a key.
    (r"POST /orders$", r"", r"this Idempotency-Key was used before"),
    (r".*/(outcome|skip)$", r"(/data)?/outcome", r"does not know the outcome"),
    (r".*/outcome$", r"", r"is on record under the key"),
    # A rule over several fields.
    (r"POST /orders$", r"/lines/\d+/unitPrice", r"digits after the point|minor unit|in whole|at most"),
    (r"POST /orders$", r"/lines", r"must not be negative"),
    # Sizes in bytes (`x-max-bytes`), depth (`x-max-depth`), and numbers that readers disagree on.
    (r".*", FREE_JSON, r"bytes of JSON|levels deep|NUL"),
    (r".*", r".*", r"cannot be held exactly|must not contain the NUL character"),
    # To JSON Schema, 7.0 is an integer.
    (r"POST /orders/batch", r"/where/(workflow/version|minLines)", r"must be a whole number .* found \d+\.0"),
    (r"POST /orders/batch", r"/where/total/(atLeast|atMost)", r"must be an amount"),
    (r"POST /orders/batch", r"/where/\w+/(from|to)", r"must be a moment"),
    # The largest position is no power of ten.
    (r"GET /orders/.*", r"", r"`position` the number that a command was answered with"),
    # The parts of a CloudEvent in binary mode are headers that belong together.
    (r".*/outcome$", r"ce-\w+|/id", r"a CloudEvent must have it|must be \"1.0\"|together"),
    # A workflow file has its own rules.
    (r"POST /workflows", r".*", r".*"),
]


def is_by_rule(case, response):
    """Whether each error of the answer comes from one of the rules."""
    label = f"{case.method} {case.path}"
    try:
        problem = json.loads(response.content)
    except ValueError:
        return False
    errors = problem.get("errors") or [{"pointer": "", "detail": problem.get("detail", "")}]
    return all(
        any(
            re.match(operation, label) and re.fullmatch(pointer, error["pointer"]) and re.search(detail, error["detail"])
            for operation, pointer, detail in RULES
        )
        for error in errors
    )


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, RejectedPositiveData):
        return not is_by_rule(case, response)
    if isinstance(failure, AcceptedNegativeData):
        # The headers of binary mode are not read where the body is an event in structured mode.
        return case.media_type != "application/cloudevents+json" or "parameter `ce-" not in failure.message
    return True


@schemathesis.hook
def before_call(context, case, kwargs):
    """An order that does not end is not waited for."""
    if str((case.query or {}).get("wait", "")).isdigit() and int(case.query["wait"]) <= 60:
        case.query["wait"] = 0
