//! What one request does. A plan depends only on the seed and its number, so it can be repeated.

use std::time::Duration;

use http::Method as Verb;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::message::{Maker, noise, shapeless};
use super::schema::Schema;

const NOT_THERE: [&str; 4] = [
    "/event_store.client.users.Users/Details",
    "/event_store.client.projections.Projections/Create",
    "/event_store.client.streams.Streams/",
    "/",
];

/// One call over HTTP/2.
pub struct Call {
    pub verb: Verb,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub pieces: Vec<Vec<u8>>,
    pub ending: Ending,
}

/// How the client ends the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It sends everything and waits for the end of the answer.
    Waits,
    /// It sends everything and leaves after this time. The answer may have no end.
    LeavesAfter(Duration),
    /// It leaves before it has sent everything.
    Cancels,
}

pub enum Plan {
    Call(Call),
    /// Bytes for a separate connection.
    Raw {
        bytes: Vec<u8>,
        lingers: bool,
    },
}

pub fn random_of(seed: u64, number: u64) -> StdRng {
    StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A call with protobuf messages, mostly of the method's own shape.
pub fn protobuf(schema: &Schema, random: &mut StdRng) -> Plan {
    let method = schema.methods.choose(random).unwrap();
    let faults = [0.0, 0.02, 0.1, 0.5].choose(random).copied().unwrap_or_default();
    let messages = match random.random_range(0..20) {
        0 => 0,
        1..6 if method.client_streams => random.random_range(2..8),
        _ => 1 + usize::from(method.client_streams),
    };
    let pieces = (0..messages).map(|_| {
        let message = if random.random_bool(0.8) {
            Maker { schema, random: &mut *random, faults }.message(&method.input)
        } else {
            shapeless(random, 4)
        };
        framed(&message)
    });
    let pieces = pieces.collect();
    Plan::Call(Call {
        verb: Verb::POST,
        path: method.path.clone(),
        headers: Vec::new(),
        pieces,
        ending: ending(method.server_streams, random),
    })
}

/// Random bytes: as a message, as the body of a call, as a call's headers, or as everything that a
/// connection sends.
pub fn bytes(schema: &Schema, random: &mut StdRng) -> Plan {
    if random.random_bool(0.1) {
        return raw(random);
    }
    let method = schema.methods.choose(random).unwrap();
    let mut call = Call {
        verb: Verb::POST,
        path: method.path.clone(),
        headers: Vec::new(),
        pieces: (0..random.random_range(1..4)).map(|_| piece(random)).collect(),
        ending: ending(method.server_streams, random),
    };
    if random.random_bool(0.1) {
        disturb(&mut call, random);
    }
    Plan::Call(call)
}

fn ending(may_go_on: bool, random: &mut StdRng) -> Ending {
    if random.random_bool(0.1) {
        Ending::Cancels
    } else if may_go_on {
        Ending::LeavesAfter(Duration::from_millis(random.random_range(0..20)))
    } else {
        Ending::Waits
    }
}

fn piece(random: &mut StdRng) -> Vec<u8> {
    let content = noise(random, 200);
    match random.random_range(0..6) {
        0 | 1 => content,
        // Marked as compressed.
        2 => [&[1, 0, 0, 0, u8::try_from(content.len()).unwrap_or(u8::MAX)], &content[..]].concat(),
        // With a length that is too large.
        3 => [&[0][..], &random.random::<u32>().to_be_bytes(), &content].concat(),
        _ => framed(&content),
    }
}

fn disturb(call: &mut Call, random: &mut StdRng) {
    match random.random_range(0..6) {
        0 => call.path = NOT_THERE.choose(random).copied().unwrap_or_default().into(),
        1 => call.verb = [Verb::GET, Verb::OPTIONS, Verb::DELETE, Verb::HEAD].choose(random).unwrap().clone(),
        2 => call.headers.push(("grpc-encoding", "gzip".into())),
        3 => call
            .headers
            .push(("grpc-timeout", ["1n", "0m", "99999999H", "-1S", "x"].choose(random).unwrap().to_string())),
        4 => call.headers.push(("content-type", "text/plain".into())),
        _ => call.headers.push(("authorization", "x".repeat(random.random_range(0..20_000)))),
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

fn raw(random: &mut StdRng) -> Plan {
    let mut bytes = Vec::new();
    match random.random_range(0..8) {
        0 => {}
        1 => bytes.extend(&PREFACE[..random.random_range(0..PREFACE.len())]),
        2 => bytes.extend(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        _ => {
            bytes.extend(PREFACE);
            bytes.extend(SETTINGS);
        }
    }
    for _ in 0..random.random_range(0..6) {
        if random.random_bool(0.7) { bytes.extend(frame(random)) } else { bytes.extend(noise(random, 100)) }
    }
    Plan::Raw { bytes, lingers: random.random_bool(0.2) }
}

/// A frame with a correct length and random content.
fn frame(random: &mut StdRng) -> Vec<u8> {
    let content = noise(random, 64);
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let kind = random.random_range(0..12);
    let stream = random.random_range(0..6_u32).to_be_bytes();
    [&length[1..], &[kind, random.random()], &stream, &content].concat()
}
