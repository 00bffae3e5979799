//! Random messages: of the right shape, with the requested share of faults, or without any shape.

use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};

use super::schema::Schema;

const DEEPEST: usize = 6;
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    3,
    10,
    255,
    4096,
    i32::MAX as u64,
    u32::MAX as u64,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX - 1,
    u64::MAX,
    (-5_i64).cast_unsigned(),
];
const TEXTS: [&str; 16] = [
    "",
    "$all",
    "$$",
    "$$$all",
    "$",
    "type",
    "content-type",
    "application/json",
    "\0",
    "é\u{202e}😀",
    "(((((",
    "(a+)+$",
    ".*",
    "^[^$].*",
    "$$fuzz-0",
    "00000000-0000-0000-0000-000000000000",
];

pub struct Maker<'a> {
    pub schema: &'a Schema,
    pub random: &'a mut StdRng,
    /// How likely each field is to be wrong, from 0 to 1.
    pub faults: f64,
}

impl Maker<'_> {
    pub fn message(&mut self, type_name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.fill(type_name, DEEPEST, &mut bytes);
        bytes
    }

    fn faulty(&mut self) -> bool {
        self.random.random_bool(self.faults)
    }

    fn fill(&mut self, type_name: &str, depth: usize, bytes: &mut Vec<u8>) {
        let Some(described) = self.schema.messages.get(type_name).filter(|_| depth > 0) else { return };
        if described.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
            self.property(bytes);
            return;
        }
        for field in self.present(described) {
            let count = if field.label() == prost_types::field_descriptor_proto::Label::Repeated {
                // Both properties of an event; a few of anything else.
                if self.faulty() { self.random.random_range(0..200) } else { 2 }
            } else {
                1
            };
            for index in 0..count {
                self.field(field, index, depth, bytes);
            }
        }
        if self.faulty() {
            bytes.extend(noise(self.random, 32));
        }
    }

    /// All fields, with one of each choice, unless a fault is due.
    fn present<'d>(&mut self, described: &'d DescriptorProto) -> Vec<&'d FieldDescriptorProto> {
        let mut choices: Vec<Vec<&FieldDescriptorProto>> = vec![Vec::new(); described.oneof_decl.len()];
        let mut present = Vec::new();
        for field in &described.field {
            match field.oneof_index.and_then(|index| usize::try_from(index).ok()) {
                Some(index) => choices[index].push(field),
                None if self.faulty() => {}
                None => present.push(field),
            }
        }
        for choice in choices {
            present.extend(choice.choose(self.random).copied().filter(|_| !self.random.random_bool(self.faults)));
            if self.faulty() {
                present.extend(choice);
            }
        }
        present
    }

    fn field(&mut self, field: &FieldDescriptorProto, index: usize, depth: usize, bytes: &mut Vec<u8>) {
        let tag = field.number().cast_unsigned();
        if self.faulty() {
            bytes.extend(any_field(self.random, tag, 2));
            return;
        }
        match field.r#type() {
            Type::Message | Type::Group => {
                let mut inner = Vec::new();
                if field.type_name().ends_with("Entry") && index < 2 && !self.faulty() {
                    required_property(index, &mut inner);
                } else {
                    self.fill(field.type_name(), depth - 1, &mut inner);
                }
                delimited(tag, &inner, bytes);
            }
            Type::String | Type::Bytes => {
                let text = self.text(field.name());
                delimited(tag, &text, bytes);
            }
            Type::Double | Type::Fixed64 | Type::Sfixed64 => {
                encode_key(tag, WireType::SixtyFourBit, bytes);
                bytes.extend(self.random.next_u64().to_le_bytes());
            }
            Type::Float | Type::Fixed32 | Type::Sfixed32 => {
                encode_key(tag, WireType::ThirtyTwoBit, bytes);
                bytes.extend(self.random.next_u32().to_le_bytes());
            }
            _ => {
                encode_key(tag, WireType::Varint, bytes);
                encode_varint(self.number(), bytes);
            }
        }
    }

    fn number(&mut self) -> u64 {
        if self.random.random_bool(0.7) {
            self.random.random_range(0..4)
        } else {
            NUMBERS.choose(self.random).copied().unwrap_or_default()
        }
    }

    fn text(&mut self, field: &str) -> Vec<u8> {
        if self.faulty() {
            return match self.random.random_range(0..4) {
                0 => noise(self.random, 64),
                1 => vec![b'x'; self.random.random_range(0..40_000)],
                _ => TEXTS.choose(self.random).unwrap().as_bytes().to_vec(),
            };
        }
        let number = self.random.random_range(0..8);
        match field {
            "stream_name" if number == 0 => format!("$$fuzz-{number}").into_bytes(),
            "stream_name" => format!("fuzz-{number}").into_bytes(),
            "group_name" => format!("group-{}", number % 3).into_bytes(),
            "data" => format!(r#"{{"$maxCount":{number}}}"#).into_bytes(),
            // A field of this name has the text of a UUID.
            "string" => uuid::Builder::from_random_bytes(self.random.random()).into_uuid().to_string().into_bytes(),
            _ => TEXTS.choose(self.random).unwrap().as_bytes().to_vec(),
        }
    }

    fn property(&mut self, bytes: &mut Vec<u8>) {
        for tag in [1, 2] {
            let text = self.text("");
            delimited(tag, &text, bytes);
        }
    }
}

/// One of the properties that every event must have.
fn required_property(index: usize, bytes: &mut Vec<u8>) {
    let (name, value) = [("type", "Fuzzed"), ("content-type", "application/json")][index];
    delimited(1, name.as_bytes(), bytes);
    delimited(2, value.as_bytes(), bytes);
}

fn delimited(tag: u32, content: &[u8], bytes: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, bytes);
    encode_varint(content.len() as u64, bytes);
    bytes.extend(content);
}

/// A message without meaning. Protobuf can decode most of them.
pub fn shapeless(random: &mut StdRng, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(0..6) {
        let tag = random.random_range(1..12);
        bytes.extend(any_field(random, tag, depth));
    }
    if random.random_bool(0.02) {
        bytes = nested(random.random_range(1..2_000));
    }
    bytes
}

fn any_field(random: &mut StdRng, tag: u32, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    match random.random_range(0..8) {
        0 | 1 => {
            encode_key(tag, WireType::Varint, &mut bytes);
            encode_varint(NUMBERS.choose(random).copied().unwrap_or_default(), &mut bytes);
        }
        2 => {
            encode_key(tag, WireType::SixtyFourBit, &mut bytes);
            bytes.extend(random.next_u64().to_le_bytes());
        }
        3 => {
            encode_key(tag, WireType::ThirtyTwoBit, &mut bytes);
            bytes.extend(random.next_u32().to_le_bytes());
        }
        // A length without the bytes that should follow.
        4 if random.random_bool(0.2) => {
            encode_key(tag, WireType::LengthDelimited, &mut bytes);
            encode_varint(NUMBERS.choose(random).copied().unwrap_or_default(), &mut bytes);
        }
        5 if random.random_bool(0.2) => encode_key(tag, WireType::StartGroup, &mut bytes),
        6 => {
            let text = TEXTS.choose(random).unwrap().as_bytes();
            delimited(tag, text, &mut bytes);
        }
        _ => {
            let inner = if depth == 0 { noise(random, 16) } else { shapeless(random, depth - 1) };
            delimited(tag, &inner, &mut bytes);
        }
    }
    bytes
}

/// Messages in messages, deeper than a server should decode.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..depth {
        let inner = std::mem::take(&mut bytes);
        delimited(1, &inner, &mut bytes);
    }
    bytes
}

pub fn noise(random: &mut StdRng, longest: usize) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(0..=longest)];
    random.fill_bytes(&mut bytes);
    bytes
}
