//! The decider of a webhook: what becomes of a command, and the state after an event.

use super::Settings;
use super::event::{
    Delivery, DeliveryReplayed, Event, WebhookChanged, WebhookCreated, WebhookDeleted, WebhookDisabled, WebhookEnabled,
    WebhookSecretRotated,
};
use crate::Timestamp;

/// A webhook after some of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What was chosen.
    pub settings: Settings,
    /// Whether notifications are sent.
    pub standing: Standing,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was enabled last: its creation, at first.
    pub enabled_at: Timestamp,
    /// When its secret was made.
    pub secret_at: Timestamp,
    /// Until when the earlier secret signs, too.
    pub earlier_secret_until: Option<Timestamp>,
}

/// Whether a webhook's notifications are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They are.
    Enabled,
    /// They are not, for this reason.
    Disabled(String),
    /// It exists no more.
    Deleted,
}

/// What an administrator or the delivery wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Creates the webhook.
    Create(Settings),
    /// Replaces what is chosen, and enables or disables it.
    Change(Settings, bool),
    /// The endpoint wants no more, or has failed for too long.
    Disable(String),
    /// Deletes the webhook.
    Delete,
    /// The secret is replaced. The earlier one signs until then, too.
    RotateSecret(Timestamp),
    /// Sends notifications again that were given up.
    Replay(Vec<Delivery>),
}

/// Why a command is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not exist, or exists no more.
    #[error("no such webhook")]
    Unknown,
    /// Its id is used.
    #[error("the webhook exists already")]
    Exists,
    /// Notifications would not be sent.
    #[error("the webhook is disabled; enable it first")]
    Disabled,
}

/// Why an administrator's disabled webhook is disabled.
const BY_AN_ADMINISTRATOR: &str = "an administrator disabled it";

/// The events of a command in this state, at this time.
pub fn decide(state: Option<&Webhook>, command: Command, at: Timestamp) -> Result<Vec<Event>, Refusal> {
    if let Command::Create(settings) = command {
        let created = Event::WebhookCreated(WebhookCreated { settings, at });
        return if state.is_some() { Err(Refusal::Exists) } else { Ok(vec![created]) };
    }
    let webhook = state.filter(|webhook| webhook.standing != Standing::Deleted).ok_or(Refusal::Unknown)?;
    let is_enabled = webhook.standing == Standing::Enabled;
    Ok(match command {
        Command::Change(settings, enabled) => {
            let changed =
                (settings != webhook.settings).then_some(Event::WebhookChanged(WebhookChanged { settings, at }));
            let switched = match (is_enabled, enabled) {
                (false, true) => Some(Event::WebhookEnabled(WebhookEnabled { at })),
                (true, false) => Some(disabled(BY_AN_ADMINISTRATOR.to_owned(), at)),
                (true, true) | (false, false) => None,
            };
            changed.into_iter().chain(switched).collect()
        }
        Command::Disable(because) if is_enabled => vec![disabled(because, at)],
        Command::Disable(_) | Command::Create(_) => Vec::new(),
        Command::Delete => vec![Event::WebhookDeleted(WebhookDeleted { at })],
        Command::RotateSecret(earlier_until) => {
            vec![Event::WebhookSecretRotated(WebhookSecretRotated { earlier_until, at })]
        }
        Command::Replay(_) if !is_enabled => return Err(Refusal::Disabled),
        Command::Replay(deliveries) => {
            let replayed = |delivery| Event::DeliveryReplayed(DeliveryReplayed { delivery, at });
            deliveries.into_iter().map(replayed).collect()
        }
    })
}

fn disabled(because: String, at: Timestamp) -> Event {
    Event::WebhookDisabled(WebhookDisabled { because, at })
}

/// The state after an event. An event that does not fit the state changes nothing: no decision
/// depends on it.
pub fn evolve(state: Option<Webhook>, event: &Event) -> Option<Webhook> {
    let Some(mut webhook) = state else {
        let Event::WebhookCreated(WebhookCreated { settings, at }) = event else { return None };
        return Some(Webhook {
            settings: settings.clone(),
            standing: Standing::Enabled,
            created_at: *at,
            enabled_at: *at,
            secret_at: *at,
            earlier_secret_until: None,
        });
    };
    match event {
        Event::WebhookChanged(changed) => webhook.settings = changed.settings.clone(),
        Event::WebhookDisabled(disabled) => webhook.standing = Standing::Disabled(disabled.because.clone()),
        Event::WebhookEnabled(enabled) => {
            webhook.standing = Standing::Enabled;
            webhook.enabled_at = enabled.at;
        }
        Event::WebhookDeleted(_) => webhook.standing = Standing::Deleted,
        Event::WebhookSecretRotated(rotated) => {
            webhook.secret_at = rotated.at;
            webhook.earlier_secret_until = Some(rotated.earlier_until);
        }
        Event::WebhookCreated(_)
        | Event::DeliveryGivenUp(_)
        | Event::DeliveryReplayed(_)
        | Event::OrderFoundLate(_) => {}
    }
    Some(webhook)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::ids::OrderId;
    use crate::webhook::{DeliveryGivenUp, Topic};

    fn at(second: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn settings(url: &str) -> Settings {
        Settings { url: url.to_owned(), events: Topic::ALL.into(), workflow: None, placed_by: None, description: None }
    }

    fn delivery() -> Delivery {
        Delivery { order_id: OrderId::new("1").unwrap(), revision: 3, topic: Topic::Ended }
    }

    /// Given these commands, one a second, when this one comes, then this is decided.
    fn given(earlier: &[Command], command: Command) -> Result<Vec<&'static str>, Refusal> {
        let mut state = None;
        for (second, earlier) in (0..).zip(earlier) {
            for event in decide(state.as_ref(), earlier.clone(), at(second)).unwrap() {
                state = evolve(state, &event);
            }
        }
        let decided = decide(state.as_ref(), command, at(60))?;
        Ok(decided.iter().map(Event::type_name).collect())
    }

    #[test]
    fn a_webhook_is_created_once_and_nothing_is_done_to_one_that_does_not_exist() {
        let create = || Command::Create(settings("https://shop.example"));
        assert_eq!(given(&[], create()), Ok(vec!["WebhookCreated"]));
        assert_eq!(given(&[create()], create()), Err(Refusal::Exists));
        assert_eq!(given(&[], Command::Delete), Err(Refusal::Unknown));
        assert_eq!(given(&[create(), Command::Delete], Command::Delete), Err(Refusal::Unknown));
        assert_eq!(given(&[create(), Command::Delete], create()), Err(Refusal::Exists));
    }

    #[test]
    fn only_what_changes_is_recorded() {
        let create = || Command::Create(settings("https://shop.example"));
        let change = |url, enabled| Command::Change(settings(url), enabled);
        let disable = || Command::Disable("the endpoint answered 410".to_owned());
        for (earlier, command, decided) in [
            (vec![create()], change("https://shop.example", true), vec![]),
            (vec![create()], change("https://b.example", true), vec!["WebhookChanged"]),
            (vec![create()], change("https://b.example", false), vec!["WebhookChanged", "WebhookDisabled"]),
            (vec![create()], disable(), vec!["WebhookDisabled"]),
            (vec![create(), disable()], disable(), vec![]),
            (vec![create(), disable()], change("https://shop.example", true), vec!["WebhookEnabled"]),
            (vec![create(), disable()], change("https://shop.example", false), vec![]),
            (vec![create()], Command::RotateSecret(at(99)), vec!["WebhookSecretRotated"]),
            (vec![create()], Command::Replay(vec![delivery(); 2]), vec!["DeliveryReplayed", "DeliveryReplayed"]),
        ] {
            assert_eq!(given(&earlier, command.clone()), Ok(decided), "{earlier:?} {command:?}");
        }
        assert_eq!(given(&[create(), disable()], Command::Replay(vec![delivery()])), Err(Refusal::Disabled));
    }

    #[test]
    fn the_state_is_what_the_last_events_say() {
        let created = decide(None, Command::Create(settings("https://a.example")), at(1)).unwrap();
        let state = evolve(None, &created[0]).unwrap();
        let disabled = evolve(Some(state), &disabled("gone".to_owned(), at(2))).unwrap();
        assert_eq!(disabled.standing, Standing::Disabled("gone".to_owned()));
        let enabled = evolve(Some(disabled), &Event::WebhookEnabled(WebhookEnabled { at: at(3) })).unwrap();
        assert_eq!((&enabled.standing, enabled.created_at, enabled.enabled_at), (&Standing::Enabled, at(1), at(3)));
        let rotated = WebhookSecretRotated { earlier_until: at(9), at: at(4) };
        let rotated = evolve(Some(enabled), &Event::WebhookSecretRotated(rotated)).unwrap();
        assert_eq!((rotated.secret_at, rotated.earlier_secret_until), (at(4), Some(at(9))));
        let given_up = DeliveryGivenUp { delivery: delivery(), attempts: 10, error: "500".to_owned(), at: at(5) };
        assert_eq!(evolve(Some(rotated.clone()), &Event::DeliveryGivenUp(given_up)), Some(rotated));
    }
}
