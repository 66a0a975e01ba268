//! Calls below the level of messages: any path, any bytes, any token; and connections that behave badly.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::exchange::in_time;

/// Messages as the bytes that they are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Plain;
    type Decoder = Plain;

    fn encoder(&mut self) -> Plain {
        Plain
    }

    fn decoder(&mut self) -> Plain {
        Plain
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Sends one message to any path; the first answer, or the error. A stream that sends nothing is an empty answer.
pub(crate) async fn call(
    channel: &Channel,
    path: &'static str,
    message: Bytes,
    authorization: Option<&str>,
) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(tokio_stream::once(message));
    if let Some(authorization) = authorization {
        let value: MetadataValue<_> = authorization.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let answered = client.streaming(request, http::uri::PathAndQuery::from_static(path), Plain);
    let mut answers = in_time(answered).await?.into_inner();
    Ok(in_time(answers.message()).await?.unwrap_or_default())
}

/// A connection that makes calls by hand and reads nothing.
#[derive(Debug)]
pub(crate) struct Deaf {
    stream: TcpStream,
    next: u32,
}

impl Deaf {
    /// Says hello as HTTP/2 has it.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
        Deaf { stream, next: 1 }
    }

    /// Begins a call that has no end of its own.
    pub(crate) async fn begin(&mut self, path: &str) {
        let mut headers = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "longcast"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            // A literal without indexing, with a new name; neither is compressed.
            headers.push(0);
            for text in [name, value] {
                headers.push(u8::try_from(text.len()).unwrap());
                headers.extend_from_slice(text.as_bytes());
            }
        }
        self.stream.write_all(&frame(1, 4, self.next, &headers)).await.unwrap();
        self.next += 2;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
