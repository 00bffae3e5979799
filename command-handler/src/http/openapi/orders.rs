//! Schemas of what shops and participants send: orders, answers, workflow files.

use domain::ids::OrderId;
use domain::order::request::limits;
use domain::order::request::{CURRENCIES, MAX_LINES, MAX_QUANTITY};
use serde_json::{Map, Value, json};

use super::parts::{TEXT_PATTERN, schema_ref};
use crate::answer::{LARGEST_DATA, MAX_OUTCOME};
use crate::http::instruction::{MAX_ACTOR, MAX_REASON};
use crate::http::outcome::MAX_KEY;

/// Control characters, in a class of a regular expression.
const CONTROLS: &str = r"\u0000-\u001f\u007f-\u009f";
/// Characters that `domain` does not count as printable.
const UNPRINTABLE: &str = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069";

/// Text without control characters.
fn line_pattern() -> String {
    format!("^[^{CONTROLS}]*$")
}

/// Text without control characters, and not blank.
fn visible_pattern() -> String {
    format!(r"^[^{CONTROLS}]*[^\s{CONTROLS}][^{CONTROLS}]*$")
}

pub(super) fn schemas() -> Map<String, Value> {
    let schemas = json!({
        "NewOrder": new_order(),
        "OrderId": {
            "description": "Characters that need no escaping in a URL. The first is not a dot.",
            "type": "string",
            "minLength": 1,
            "maxLength": OrderId::MAX_LENGTH,
            "pattern": "^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$",
        },
        "Name": {
            "description": "The name of a workflow, or a name in a workflow file.",
            "type": "string",
            "minLength": 1,
            "maxLength": limits::MAX_NAME_LENGTH,
            "pattern": "^[a-z][a-z0-9-]*$",
        },
        "Customer": customer(),
        "Line": line(),
        "Address": {
            "type": ["object", "null"],
            "additionalProperties": false,
            "properties": {
                "name": schema_ref("ShortText"),
                "street": schema_ref("ShortText"),
                "city": schema_ref("ShortText"),
                "region": schema_ref("ShortText"),
                "postalCode": schema_ref("ShortText"),
                "country": schema_ref("ShortText"),
            },
        },
        "Attributes": {
            "description": format!(
                "Other data that the shop keeps with the order: at most {} KiB of JSON, nested at most {} levels deep; \
                 the attributes themselves are the first level. Workflows can read them.",
                limits::MAX_ATTRIBUTES_BYTES / 1024, limits::MAX_ATTRIBUTES_DEPTH,
            ),
            "type": ["object", "null"],
            "maxProperties": limits::MAX_ATTRIBUTES,
            "x-max-bytes": limits::MAX_ATTRIBUTES_BYTES,
            "x-max-depth": limits::MAX_ATTRIBUTES_DEPTH,
        },
        "OutsideId": {
            "description": "Printable characters, without white space at the start or the end.",
            "type": "string",
            "minLength": 1,
            "pattern": format!(r"^[^\s{UNPRINTABLE}]([^{UNPRINTABLE}]*[^\s{UNPRINTABLE}])?$"),
        },
        "ShortText": {
            "description": "Printable characters: no controls, no line breaks, no marks that turn the direction of text.",
            "type": ["string", "null"],
            "maxLength": limits::MAX_SHORT_TEXT,
            "pattern": format!("^[^{UNPRINTABLE}]*$"),
        },
        "Currency": { "description": "ISO 4217, the currencies in use.", "type": "string", "enum": CURRENCIES },
        "Answer": answer(),
        "CloudEvent": cloud_event(),
        "Actor": {
            "description": "The person who acts; without it, the authenticated caller, or `operator` if callers are not authenticated. \
                 Only an `admin`, and a key that was created with `--on-behalf-of`, may name another person than itself; \
                 then both are recorded.",
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": MAX_ACTOR,
            "pattern": visible_pattern(),
        },
        "Reason": {
            "description": "Why, for the order's history. Not blank.",
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_REASON,
            "pattern": visible_pattern(),
        },
        "WorkflowFile": {
            "description": "`workflows/schema.json` describes the format, and `workflows/order-fulfilment.yaml` explains \
                            it. YAML without anchors, aliases and tags.",
            "type": "string",
        },
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}

fn new_order() -> Value {
    json!({
        "type": "object",
        "required": ["workflow", "customer", "currency", "lines"],
        "additionalProperties": false,
        "properties": {
            "orderId": {
                "description": "The shop's id, so that the same order is never placed twice. Without it, Tenuto \
                                creates a UUIDv7.",
                "anyOf": [schema_ref("OrderId"), { "type": "null" }],
            },
            "workflow": { "$ref": "#/components/schemas/Name", "description": "The workflow of the order." },
            "customer": schema_ref("Customer"),
            "currency": schema_ref("Currency"),
            "lines": { "type": "array", "minItems": 1, "maxItems": MAX_LINES, "items": schema_ref("Line") },
            "shipTo": schema_ref("Address"),
            "attributes": schema_ref("Attributes"),
        },
    })
}

fn customer() -> Value {
    let (bytes, local) = (limits::MAX_EMAIL_LENGTH, limits::MAX_EMAIL_LOCAL_PART);
    // An atom: letters, digits and the signs of RFC 5322. A label does not begin with a hyphen.
    let (atom, label) =
        (r"[\w!#$%&'*+/=?^`{|}~-]+", format!(r"[^\W_]([^\W_]|-){{0,{}}}", limits::MAX_DOMAIN_LABEL - 1));
    json!({
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": {
            "id": {
                "$ref": "#/components/schemas/OutsideId",
                "maxLength": limits::MAX_CUSTOMER_ID,
                "description": "The shop's id of the customer.",
            },
            "name": schema_ref("ShortText"),
            "email": {
                "description": format!(
                    "Without quotes, comments and address literals; at most {bytes} bytes, {local} of them before the `@`."
                ),
                "type": ["string", "null"],
                "format": "idn-email",
                "maxLength": bytes,
                "pattern": format!(r"^(?=[^@]{{1,{local}}}@){atom}(\.{atom})*@{label}(\.{label})*$"),
            },
        },
    })
}

fn line() -> Value {
    let (whole, fraction) = (limits::MAX_WHOLE_DIGITS, limits::MAX_FRACTION_DIGITS);
    json!({
        "type": "object",
        "required": ["sku", "quantity", "unitPrice"],
        "additionalProperties": false,
        "properties": {
            "sku": {
                "$ref": "#/components/schemas/OutsideId",
                "maxLength": limits::MAX_SKU,
                "description": "The stock-keeping unit.",
            },
            "name": schema_ref("ShortText"),
            "quantity": {
                "description": "Pieces: a whole number. `1.0` is the same as `1`.",
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_QUANTITY,
            },
            "unitPrice": {
                "description": "The price of one piece in the order's currency: a string, so that no reader makes a \
                                binary fraction of it. It has at most the minor units of the currency (ISO 4217): none in \
                                JPY, two digits in EUR, three in KWD. A negative price is a discount; the sum over the \
                                lines must not be negative. No plus sign, no exponent.",
                "type": "string",
                "maxLength": 1 + whole + 1 + fraction,
                "pattern": format!(r"^-?[0-9]{{1,{whole}}}(\.[0-9]{{1,{fraction}}})?$"),
                "examples": ["14.00"],
            },
        },
    })
}

fn answer() -> Value {
    json!({
        "description": "The answer of a participant, or of a person.",
        "type": "object",
        "required": ["outcome"],
        "additionalProperties": false,
        "properties": {
            "outcome": outcome(
                &json!("string"),
                "One of the outcomes that the workflow names for the step, if it names any.",
            ),
            "data": {
                "description": format!(
                    "Data of the answer, at most {} KiB of JSON. Expressions of the workflow read them as \
                     `steps.<step>.data`.", LARGEST_DATA / 1024
                ),
                "x-max-bytes": LARGEST_DATA,
            },
            "actor": {
                "$ref": "#/components/schemas/Actor",
                "description": "For a person's answer: the person. With a reason alone, `operator`.",
            },
            "reason": {
                "anyOf": [schema_ref("Reason"), { "type": "null" }],
                "description": "For a person's answer: why.",
            },
        },
    })
}

/// The name of an outcome.
pub(super) fn outcome(kind: &Value, description: &str) -> Value {
    json!({
        "description": description,
        "type": kind,
        "minLength": 1,
        "maxLength": MAX_OUTCOME,
        "pattern": line_pattern(),
    })
}

fn cloud_event() -> Value {
    let part = json!({ "type": "string", "minLength": 1, "pattern": line_pattern() });
    let mut source = part.clone();
    source["format"] = json!("uri-reference");
    json!({
        "description": format!(
            "CloudEvents 1.0, JSON format. `source` and `id` have at most {MAX_KEY} characters together. Other \
             attributes are not read."
        ),
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": part,
            "source": source,
            "type": { "type": "string", "minLength": 1, "pattern": TEXT_PATTERN },
            "data": schema_ref("Answer"),
        },
    })
}
