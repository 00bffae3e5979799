//! The protocol's own description. Requests are made from it, so a new method is fuzzed without a
//! change here.

use std::collections::HashMap;
use std::path::Path;

use prost_types::{DescriptorProto, FileDescriptorProto};

pub struct Schema {
    /// By full name, with a dot before it, as fields refer to them.
    pub messages: HashMap<String, DescriptorProto>,
    pub methods: Vec<Method>,
}

pub struct Method {
    pub path: String,
    pub input: String,
    pub client_streams: bool,
    pub server_streams: bool,
}

impl Schema {
    pub fn load() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../event-store-protocol/proto");
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .collect();
        files.sort();
        let mut schema = Self { messages: HashMap::new(), methods: Vec::new() };
        for file in protox::compile(files, [folder]).unwrap().file {
            schema.add(&file);
        }
        assert!(schema.methods.len() >= 14, "the protocol has lost methods");
        schema
    }

    fn add(&mut self, file: &FileDescriptorProto) {
        for message in &file.message_type {
            self.add_message(&format!(".{}", file.package()), message);
        }
        for service in &file.service {
            self.methods.extend(service.method.iter().map(|method| Method {
                path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                input: method.input_type().to_owned(),
                client_streams: method.client_streaming(),
                server_streams: method.server_streaming(),
            }));
        }
    }

    fn add_message(&mut self, outer: &str, message: &DescriptorProto) {
        let name = format!("{outer}.{}", message.name());
        for nested in &message.nested_type {
            self.add_message(&name, nested);
        }
        self.messages.insert(name, message.clone());
    }
}
