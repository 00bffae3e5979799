//! What a principal may be.

use std::fmt;
use std::str::FromStr;

/// A role. A principal may have several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Places orders; reads, amends and cancels those that it placed.
    Shop,
    /// Answers for the participant of that name.
    Participant(String),
    /// Reads orders, with personal data redacted.
    Viewer,
    /// Reads orders, acts on them, and answers for people.
    Operator,
    /// Reads orders and their history, and exports proofs.
    Auditor,
    /// Registers workflows, and tries them on past orders.
    Author,
    /// Manages keys, erases customers, and scripts faults; may do everything else as well.
    Admin,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role: the roles are shop, participant:NAME, viewer, operator, auditor, author and admin")]
pub struct NoRole(String);

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        match text {
            "shop" => Ok(Self::Shop),
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            "auditor" => Ok(Self::Auditor),
            "author" => Ok(Self::Author),
            "admin" => Ok(Self::Admin),
            _ => match text.strip_prefix("participant:") {
                Some(name) if !name.is_empty() => Ok(Self::Participant(name.to_owned())),
                _ => Err(NoRole(text.chars().take(100).collect())),
            },
        }
    }
}

impl Role {
    /// Its kind, without the name of a participant: there are few of them.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Participant(_) => "participant",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Participant(name) => write!(f, "participant:{name}"),
            Self::Shop | Self::Viewer | Self::Operator | Self::Auditor | Self::Author | Self::Admin => {
                f.write_str(self.kind())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for text in ["shop", "participant:payments", "viewer", "operator", "auditor", "author", "admin"] {
            assert_eq!(text.parse::<Role>().unwrap().to_string(), text);
        }
        for text in ["", "root", "Admin", "participant:", "participant", "shop "] {
            assert!(text.parse::<Role>().is_err(), "{text:?}");
        }
    }
}
