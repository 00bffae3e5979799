//! One golden file for each event and version, kept for ever. Participants in other languages rely
//! on them. `UPDATE_GOLDEN=1 cargo test -p domain golden` writes missing files.

use serde_json::json;

use super::*;
use crate::wire::golden_tests::assert_golden;

fn order() -> OrderId {
    OrderId::new("10248").unwrap()
}

fn requested() -> ActionRequested {
    ActionRequested {
        order_id: order(),
        step: "ship".into(),
        action: "ship".into(),
        direction: Direction::Do,
        personal_data: None,
        placeholders: None,
        key_since: 1,
        input: json!({ "lines": [{ "sku": "11", "quantity": 12 }] }),
    }
}

fn masked() -> ActionRequested {
    ActionRequested {
        step: "notify".into(),
        action: "send".into(),
        input: json!({ "to": "⟦customer.email⟧" }),
        personal_data: Some("https://tenuto.example/orders/10248/personal-data".into()),
        ..requested()
    }
}

fn masked_in_part() -> ActionRequested {
    ActionRequested {
        step: "print".into(),
        input: json!({ "to": "⟦customer.email⟧", "text": "All the best, ⟦customer.name⟧" }),
        placeholders: Some(serde_json::from_value(json!({ "/to": [0] })).unwrap()),
        ..masked()
    }
}

fn answered() -> Reply {
    Reply::Answered(ActionAnswered {
        order_id: order(),
        step: "ship".into(),
        direction: Direction::Do,
        outcome: Some("shipped".into()),
        data: json!({ "tracking": "T-1" }),
    })
}

fn refused() -> Reply {
    Reply::Refused(ActionRefused {
        order_id: order(),
        step: "ship".into(),
        direction: Direction::Undo,
        error: "it has left the house".into(),
        misconfigured: false,
    })
}

fn held() -> Reply {
    Reply::Refused(ActionRefused {
        order_id: order(),
        step: "notify".into(),
        direction: Direction::Do,
        error: "the personal data that it takes cannot be read".into(),
        misconfigured: true,
    })
}

fn parked() -> ReplyParked {
    ReplyParked {
        stream: "replies-shipping".into(),
        revision: 7,
        event_type: "ActionAnswered".into(),
        reason: "there is no order 10249".into(),
    }
}

const TRACE: Option<&str> = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

fn one_of_each() -> Vec<Message> {
    let request = requested().message(1, Some(Uuid::nil()), TRACE).unwrap();
    let (answer, refusal) =
        (answered().message(request.id, TRACE).unwrap(), refused().message(request.id, TRACE).unwrap());
    let parked = parked().message(answer.id).unwrap();
    let masked = masked().message(1, None, TRACE).unwrap();
    let in_part = masked_in_part().message(1, None, TRACE).unwrap();
    vec![request, answer, refusal, parked, masked, in_part]
}

/// A field added later to a version has its own golden file.
#[test]
fn a_participant_can_report_that_a_person_must_correct_something_first() {
    let message = held().message(Uuid::nil(), None).unwrap();
    assert_golden("exchange/ActionRefused.v1.misconfigured.json", &written(&message));
    let (read, _) = decode_reply(message.event_type, &message.data, &message.metadata).unwrap();
    assert_eq!(read, held());
}

fn written(message: &Message) -> Value {
    json!({
        "id": message.id,
        "data": serde_json::from_slice::<Value>(&message.data).unwrap(),
        "metadata": serde_json::from_slice::<Value>(&message.metadata).unwrap(),
    })
}

#[test]
fn golden_files_are_what_is_written() {
    for message in one_of_each() {
        let written = written(&message);
        let version = &written["metadata"]["schema"];
        assert_golden(&format!("exchange/{}.v{version}.json", message.event_type), &written);
    }
}

#[test]
fn a_request_with_another_key_names_the_first_attempt_under_it() {
    let again = ActionRequested { key_since: 4, ..requested() };
    assert_eq!(again.idempotency_key(), "10248/ship/do/4");
    let message = again.message(4, None, TRACE).unwrap();
    let data: Value = serde_json::from_slice(&message.data).unwrap();
    assert_golden("exchange/ActionRequested.v1.key-since.json", &data);
    let (read, _) = decode_request(message.event_type, &message.data, &message.metadata).unwrap();
    assert_eq!(read, again);
}

#[test]
fn what_is_written_is_read() {
    let [request, answer, refusal, _, with_placeholders, in_part] = one_of_each().try_into().unwrap();
    for (message, said) in [(&request, requested()), (&with_placeholders, masked()), (&in_part, masked_in_part())] {
        let (read, metadata) = decode_request(message.event_type, &message.data, &message.metadata).unwrap();
        assert_eq!((read, metadata.correlation_id.as_deref()), (said, Some("10248")));
    }
    for (message, said) in [(&answer, answered()), (&refusal, refused())] {
        let (read, metadata) = decode_reply(message.event_type, &message.data, &message.metadata).unwrap();
        assert_eq!((read, metadata.causation_id), (said, Some(request.id)));
    }
}

#[test]
fn equal_messages_have_equal_ids_and_others_do_not() {
    let ids: Vec<Uuid> = one_of_each().iter().map(|message| message.id).collect();
    assert_eq!(ids, one_of_each().iter().map(|message| message.id).collect::<Vec<_>>());
    let retried = requested().message(2, None, None).unwrap().id;
    let named_refused = Reply::Answered(ActionAnswered {
        order_id: order(),
        step: "ship".into(),
        direction: Direction::Undo,
        outcome: Some("refused".into()),
        data: Value::Null,
    });
    let mut all = ids.clone();
    all.extend([retried, named_refused.message(ids[0], None).unwrap().id]);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), ids.len() + 2);
}

#[test]
fn a_handwritten_reply_is_read_and_an_invalid_one_is_named() {
    let data = br#"{"orderId":"1","step":"ship","direction":"do","more":[1]}"#;
    let (reply, metadata) = decode_reply("ActionAnswered", data, b"").unwrap();
    assert_eq!((reply.order_id().as_str(), metadata), ("1", ExchangeMetadata::default()));
    let error = |event_type: &str, data: &[u8], metadata: &[u8]| {
        decode_reply(event_type, data, metadata).unwrap_err().to_string()
    };
    assert_eq!(error("Odd", data, b""), "unknown event type \"Odd\"");
    assert!(error("ActionAnswered", data, br#"{"schema":2}"#).contains("schema version 2"));
    assert!(error("ActionAnswered", data, b"[").contains("the metadata of ActionAnswered cannot be read"));
    for wrong in [
        &br#"{"orderId":"a/b","step":"s","direction":"do"}"#[..],
        br#"{"orderId":"1","step":"s"}"#,
        br#"{"orderId":"1","step":"s","direction":"up"}"#,
        br#"{"orderId":"1","step":"s","direction":"do","step":"t"}"#,
        br#"{"orderId":"1","step":"s","direction":"do","data":"\u0000"}"#,
        br#"["1","s","do"]"#,
        b"",
    ] {
        assert!(error("ActionAnswered", wrong, b"").starts_with("the data of ActionAnswered cannot be read"));
    }
}
