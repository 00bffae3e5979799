//! Calls that no client crate offers, made with self-written messages, or left unfinished.

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use prost::Message;
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub async fn channel(connection_string: &str) -> Channel {
    let address = connection_string.trim_start_matches("esdb://").split(['?', ',', '/']).next().unwrap();
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A call with one request and one answer.
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

/// A connection on which calls need not be finished.
pub async fn connection(address: &str) -> Result<SendRequest<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, driver) = h2::client::handshake(stream).await?;
    tokio::spawn(driver);
    Ok(sender.ready().await?)
}

/// Begins a call.
pub fn begin(sender: &mut SendRequest<Bytes>, method: &str) -> (ResponseFuture, SendStream<Bytes>) {
    let request = http::Request::post(format!("http://node{method}")).header("content-type", "application/grpc");
    sender.send_request(request.header("te", "trailers").body(()).unwrap(), false).unwrap()
}

/// A message as it goes over the wire.
pub fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &message].concat().into()
}
