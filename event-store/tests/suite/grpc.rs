//! Calls that no client crate offers, made with messages of one's own.

use prost::Message;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub async fn channel(connection_string: &str) -> Channel {
    let address = connection_string.trim_start_matches("esdb://").split(['?', ',', '/']).next().unwrap();
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Asks once and is answered once.
pub async fn call<Req, Resp>(channel: &Channel, method: &str, request: Req) -> Result<Resp, Status>
where
    Req: Message + 'static,
    Resp: Message + Default + 'static,
{
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let answer = client.unary(Request::new(request), method.parse().unwrap(), ProstCodec::default()).await?;
    Ok(answer.into_inner())
}
