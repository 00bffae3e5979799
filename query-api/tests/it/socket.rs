//! A client of GraphQL over WebSocket that says just what a test has it say.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// What anything may take before its test has failed.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The protocol that is spoken.
pub const PROTOCOL: Option<&str> = Some("graphql-transport-ws");

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects with that protocol; the error is the status of an answer that does not let it.
    pub async fn connect(url: &str, protocol: Option<&'static str>) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A connection that is acknowledged.
    pub async fn open(url: &str) -> Self {
        let mut socket = Self::connect(url, PROTOCOL).await.unwrap();
        socket.say(&json!({ "type": "connection_init" })).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub async fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message, be it what it may.
    pub async fn receive(&mut self) -> Message {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Ping(_))) => {}
                    Some(Ok(message)) => return message,
                    other => panic!("the connection is gone: {other:?}"),
                }
            }
        };
        timeout(LIMIT, next).await.expect("no message in time")
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        match self.receive().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The order that the next message of an operation has.
    pub async fn order(&mut self, id: &str) -> Value {
        let mut message = self.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        let data = message["payload"]["data"].take();
        if data["order"].is_null() { data["orders"].clone() } else { data["order"].clone() }
    }
}
