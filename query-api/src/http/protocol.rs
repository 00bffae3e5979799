//! The messages of `graphql-transport-ws`, the protocol of GraphQL over WebSocket, and its reasons
//! to close. Pure. <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>

use async_graphql::{Response as Answer, ServerError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of the protocol.
pub const NAME: &str = "graphql-transport-ws";

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Ping {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Pong {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Subscribe {
        id: String,
        payload: Value,
    },
    Complete {
        id: String,
    },
}

/// A message of a server.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: String,
        payload: Answer,
    },
    /// The operation was not executed.
    Error {
        id: String,
        payload: Vec<ServerError>,
    },
    Complete {
        id: String,
    },
}

/// Why a server closes a connection, with the code of the protocol (1001, "going away", is
/// WebSocket's own).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    Leaving,
    InvalidMessage(String),
    Unauthorized,
    /// The credentials of the connection are not accepted any more.
    Forbidden,
    SubprotocolNotAcceptable,
    InitialisationTimeout,
    SubscriberExists(String),
    TooManyInitialisations,
    TooManyOperations(usize),
}

/// The longest reason that a close frame holds, in bytes (RFC 6455, section 5.5).
const MAX_REASON: usize = 123;
/// The longest id of an operation, in bytes: each answer has it.
const MAX_ID: usize = 256;

impl Close {
    pub fn code(&self) -> u16 {
        match self {
            Self::Leaving => 1001,
            Self::InvalidMessage(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden => 4403,
            Self::SubprotocolNotAcceptable => 4406,
            Self::InitialisationTimeout => 4408,
            Self::SubscriberExists(_) => 4409,
            Self::TooManyInitialisations | Self::TooManyOperations(_) => 4429,
        }
    }

    pub fn reason(&self) -> String {
        let mut reason = match self {
            Self::Leaving => "This instance is leaving".to_owned(),
            Self::InvalidMessage(what) => format!("Invalid message: {what}"),
            Self::Unauthorized => "Unauthorized".to_owned(),
            Self::Forbidden => "Forbidden: the credentials are not accepted any more".to_owned(),
            Self::SubprotocolNotAcceptable => "Subprotocol not acceptable".to_owned(),
            Self::InitialisationTimeout => "Connection initialisation timeout".to_owned(),
            Self::SubscriberExists(id) => format!("Subscriber for {id} already exists"),
            Self::TooManyInitialisations => "Too many initialisation requests".to_owned(),
            Self::TooManyOperations(most) => format!("Too many operations: a connection has at most {most}"),
        };
        while reason.len() > MAX_REASON {
            reason.pop();
        }
        reason
    }
}

/// Reads a message of a client.
pub fn read(text: &str) -> Result<ClientMessage, Close> {
    let message: ClientMessage =
        serde_json::from_str(text).map_err(|error| Close::InvalidMessage(error.to_string()))?;
    match &message {
        ClientMessage::Subscribe { id, .. } if id.is_empty() || id.len() > MAX_ID => {
            Err(Close::InvalidMessage(format!("an id has 1 to {MAX_ID} bytes")))
        }
        _ => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_messages_of_the_protocol_are_read_and_no_others() {
        assert_eq!(read(r#"{"type":"connection_init"}"#), Ok(ClientMessage::ConnectionInit { payload: None }));
        assert_eq!(read(r#"{"type":"pong","payload":{}}"#), Ok(ClientMessage::Pong { payload: Some(Map::new()) }));
        assert_eq!(
            read(r#"{"type":"subscribe","id":"1","payload":{"query":"{x}"}}"#),
            Ok(ClientMessage::Subscribe { id: "1".into(), payload: json!({ "query": "{x}" }) })
        );
        assert_eq!(read(r#"{"type":"complete","id":"1"}"#), Ok(ClientMessage::Complete { id: "1".into() }));
        for wrong in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"type":"start","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"connection_init","payload":7}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert_eq!(read(wrong).unwrap_err().code(), 4400, "{wrong}");
        }
    }

    #[test]
    fn messages_are_written_as_the_protocol_defines() {
        let said = |message: &ServerMessage| serde_json::to_value(message).unwrap();
        assert_eq!(said(&ServerMessage::ConnectionAck), json!({ "type": "connection_ack" }));
        assert_eq!(said(&ServerMessage::Pong { payload: None }), json!({ "type": "pong" }));
        assert_eq!(said(&ServerMessage::Complete { id: "1".into() }), json!({ "type": "complete", "id": "1" }));
        let errors = vec![ServerError::new("no", None)];
        let error = said(&ServerMessage::Error { id: "1".into(), payload: errors });
        assert_eq!(error, json!({ "type": "error", "id": "1", "payload": [{ "message": "no" }] }));
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let close = Close::SubscriberExists("é".repeat(200));
        assert!(close.reason().len() <= MAX_REASON && close.reason().starts_with("Subscriber for é"));
        assert_eq!((close.code(), Close::Leaving.code()), (4409, 1001));
    }
}
