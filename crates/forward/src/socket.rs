//! A WebSocket that another role serves: its bytes pass through.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tracing::debug;

use crate::Forward;
use crate::headers;

impl Forward {
    /// Sends a request for a WebSocket on. If the other role agrees, the bytes of both sides pass
    /// until one of them ends, or this process leaves: clients then connect to another instance.
    pub(crate) async fn open_socket(&self, mut request: Request) -> Response {
        let of_client = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let to = self.url_of(&parts.uri);
        let asked = self.client.request(parts.method, to).headers(headers::of_upgrade(&parts.headers)).send();
        let answer = match self.in_time(asked).await {
            Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => answer,
            Ok(refusal) => return self.returned(refusal),
            Err(away) => return away.into_response(),
        };
        let agreed = headers::handshake(answer.headers());
        let of_server = match answer.upgrade().await {
            Ok(of_server) => of_server,
            Err(error) => return self.away(&error_causes::with_causes(&error)).into_response(),
        };
        let leaving = self.leaving.clone();
        tokio::spawn(async move {
            let passing = async {
                let mut of_client = TokioIo::new(of_client.await.map_err(std::io::Error::other)?);
                let mut of_server = of_server;
                copy_bidirectional(&mut of_client, &mut of_server).await
            };
            if let Some(Err(error)) = leaving.run_until_cancelled(passing).await {
                debug!(%error, "a WebSocket that was forwarded has failed");
            }
        });
        (StatusCode::SWITCHING_PROTOCOLS, agreed, Body::empty()).into_response()
    }
}
