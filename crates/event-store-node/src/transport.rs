//! The bytes of a connection: plain, or by TLS. The handshake is part of the first read or write,
//! so it delays no other connection, and is under the time limit of the first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use tls::{ListenerTls, Secured};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The protocols within TLS, the preferred one first.
pub(super) const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

pub(super) enum Transport {
    Plain(TcpStream),
    Handshake(BoxFuture<'static, io::Result<Secured>>),
    Secured(Box<TlsStream<TcpStream>>),
    /// The handshake has failed.
    Failed,
}

impl Transport {
    pub(super) fn new(stream: TcpStream, tls: Option<ListenerTls>) -> Self {
        match tls {
            None => Self::Plain(stream),
            Some(tls) => Self::Handshake(Box::pin(async move { tls.accept(stream).await })),
        }
    }

    /// The socket, once the handshake has ended.
    pub(super) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Secured(stream) => Some(stream.get_ref().0),
            Self::Handshake(_) | Self::Failed => None,
        }
    }

    /// The stream, once the handshake has ended.
    fn poll_stream(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Duplex>>> {
        if let Self::Handshake(handshake) = self {
            let ended = ready!(handshake.as_mut().poll(context));
            // A future that has ended is not polled again.
            *self = Self::Failed;
            *self = Self::Secured(Box::new(ended?.stream));
        }
        let stream: Pin<&mut dyn Duplex> = match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Secured(stream) => Pin::new(&mut **stream),
            Self::Handshake(_) | Self::Failed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        Poll::Ready(Ok(stream))
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_stream(context))?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_stream(context))?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_stream(context))?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            // Nothing was sent, so there is nothing to end.
            Self::Handshake(_) | Self::Failed => Poll::Ready(Ok(())),
            _ => ready!(self.poll_stream(context))?.poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_stream(context))?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secured(stream) => stream.is_write_vectored(),
            // Of TLS, as it will be.
            Self::Handshake(_) | Self::Failed => true,
        }
    }
}
