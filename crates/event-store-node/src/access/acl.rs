//! Access control lists: in a stream's metadata, in the server's settings, and by default.

use serde_json::{Map, Value};

use super::caller::ADMINS;

/// What a caller does with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    Delete,
    ReadMetadata,
    WriteMetadata,
}

impl Action {
    /// Its key in a list.
    fn key(self) -> &'static str {
        match self {
            Self::Read => "$r",
            Self::Write => "$w",
            Self::Delete => "$d",
            Self::ReadMetadata => "$mr",
            Self::WriteMetadata => "$mw",
        }
    }

    /// The action and the stream whose list decides. A metadata stream follows the list of the
    /// stream that it describes, and no one deletes it.
    pub(crate) fn on(self, stream: &str) -> Option<(Self, &str)> {
        let Some(described) = event_store_protocol::metadata::described_by(stream) else { return Some((self, stream)) };
        match self {
            Self::Read | Self::ReadMetadata => Some((Self::ReadMetadata, described)),
            Self::Write | Self::WriteMetadata => Some((Self::WriteMetadata, described)),
            Self::Delete => None,
        }
    }
}

/// The roles that a list gives an action to; `None`: the list does not name the action.
fn roles_in(list: &Map<String, Value>, action: Action) -> Option<Vec<String>> {
    match list.get(action.key())? {
        Value::String(role) => Some(vec![role.clone()]),
        Value::Array(roles) => Some(roles.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

/// The roles in the metadata of a stream. Metadata that is no metadata counts as none, and so does
/// a list that is no list.
pub(crate) fn roles_of_metadata(metadata: &[u8], action: Action) -> Option<Vec<String>> {
    roles_below(metadata, "$acl", action)
}

/// The roles in the server's settings, for a stream without its own list.
pub(crate) fn roles_of_settings(settings: &[u8], stream: &str, action: Action) -> Option<Vec<String>> {
    roles_below(settings, if is_system(stream) { "$systemStreamAcl" } else { "$userStreamAcl" }, action)
}

/// The roles without any list: every user for an ordinary stream, administrators for the system's.
pub(crate) fn roles_by_default(stream: &str) -> Vec<String> {
    vec![if is_system(stream) { ADMINS } else { "$all" }.to_owned()]
}

fn roles_below(text: &[u8], key: &str, action: Action) -> Option<Vec<String>> {
    let object = event_store_protocol::metadata::object_in(text)?;
    roles_in(object.get(key)?.as_object()?, action)
}

fn is_system(stream: &str) -> bool {
    stream.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metadata_stream_follows_the_stream_that_it_describes() {
        for (action, stream, expected) in [
            (Action::Read, "order-1", Some((Action::Read, "order-1"))),
            (Action::Delete, "order-1", Some((Action::Delete, "order-1"))),
            (Action::Read, "$$order-1", Some((Action::ReadMetadata, "order-1"))),
            (Action::Write, "$$order-1", Some((Action::WriteMetadata, "order-1"))),
            (Action::Write, "$$$all", Some((Action::WriteMetadata, "$all"))),
            (Action::Delete, "$$order-1", None),
        ] {
            assert_eq!(action.on(stream), expected, "{action:?} {stream}");
        }
    }

    #[test]
    fn the_roles_are_those_of_the_action() {
        let metadata = br#"{"$acl":{"$r":"anna","$w":["bert","$admins"],"$d":[],"$mr":7}}"#;
        for (action, expected) in [
            (Action::Read, Some(vec!["anna"])),
            (Action::Write, Some(vec!["bert", "$admins"])),
            (Action::Delete, Some(vec![])),
            (Action::ReadMetadata, None),
            (Action::WriteMetadata, None),
        ] {
            let roles = roles_of_metadata(metadata, action);
            assert_eq!(
                roles.as_deref().map(|roles| roles.iter().map(String::as_str).collect()),
                expected,
                "{action:?}"
            );
        }
        for none in [&b"{}"[..], b"[]", b"{\"$acl\":[]}", b"no JSON", b""] {
            assert_eq!(roles_of_metadata(none, Action::Read), None);
        }
    }

    #[test]
    fn settings_have_a_list_for_ordinary_streams_and_one_for_the_systems() {
        let settings = br#"{"$userStreamAcl":{"$r":"shops"},"$systemStreamAcl":{"$r":["$ops"]}}"#;
        assert_eq!(roles_of_settings(settings, "order-1", Action::Read).unwrap(), ["shops"]);
        assert_eq!(roles_of_settings(settings, "$all", Action::Read).unwrap(), ["$ops"]);
        assert_eq!(roles_of_settings(settings, "order-1", Action::Write), None);
        assert_eq!(roles_by_default("order-1"), ["$all"]);
        assert_eq!(roles_by_default("$all"), ["$admins"]);
    }
}
