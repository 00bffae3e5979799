//! Operations that a second person has to approve.

use domain::order::{Event, OperationRequested, RequestSettled, Settlement};

use super::Wrong;
use crate::simulation::record::{Entry, History, Record};

fn request(history: &History, number: u32) -> Option<&OperationRequested> {
    history.entries.iter().find_map(|entry| match &entry.event {
        Event::OperationRequested(e) if e.request == number => Some(&**e),
        _ => None,
    })
}

/// What is approved was asked for by another person, and was approved in time. The operation
/// follows in the same append, by the one who asked, and names the second person. Nothing else
/// names one.
pub fn two_persons_decide(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        for (index, entry) in history.entries.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| history.entries.get(before));
            let approval = before.filter(|before| before.append == entry.append).and_then(approved);
            match (entry.metadata.approved_by.as_deref(), approval) {
                (None, None) => {}
                (second, Some((number, by))) if second == Some(by) => {
                    let asked = request(history, number);
                    let is_right = asked.is_some_and(|asked| {
                        entry.metadata.actor.as_ref() == Some(&asked.requested_by)
                            && asked.principal != by
                            && entry.event.at() < asked.expires_at
                    });
                    if !is_right {
                        wrong.push(format!("{id}: {by} approved {asked:?}, and {entry:?} follows"));
                    }
                }
                (second, approval) => wrong.push(format!("{id}: {second:?} approved {entry:?} after {approval:?}")),
            }
        }
    }
    wrong
}

/// The request that an event approves, and the second person.
fn approved(entry: &Entry) -> Option<(u32, &str)> {
    match &entry.event {
        Event::RequestSettled(RequestSettled { request, how: Settlement::Approved, .. }) => {
            Some((*request, entry.metadata.actor.as_deref().unwrap_or_default()))
        }
        _ => None,
    }
}

/// What became of a request is in the log as it was acknowledged, and once.
pub fn a_settled_request_stays_settled(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for taken in &record.settlements_taken {
        let entries = record.orders.get(&taken.order_id).into_iter().flat_map(|history| &history.entries);
        let found: Vec<Settlement> = entries
            .filter_map(|entry| match &entry.event {
                Event::RequestSettled(e) if e.request == taken.request => Some(e.how),
                _ => None,
            })
            .collect();
        if found != [taken.how] {
            wrong.push(format!("{taken:?} was acknowledged, and the log has {found:?}"));
        }
    }
    wrong
}

/// A request expires when its time is over and not before; until then people settle it.
pub fn requests_expire_in_time(record: &Record) -> Wrong {
    let mut wrong = Wrong::new();
    for (id, history) in &record.orders {
        for entry in &history.entries {
            let Event::RequestSettled(e) = &entry.event else { continue };
            let is_over = request(history, e.request).is_some_and(|asked| asked.expires_at <= e.at);
            if is_over != (e.how == Settlement::Expired) {
                wrong.push(format!("{id}: {e:?} at the wrong time"));
            }
        }
    }
    wrong
}
