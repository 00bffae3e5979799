//! Tokens as the client of participants issues them and the endpoint checks them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;

use super::*;
use crate::participants::failing_exchanges;

impl Callbacks {
    /// With a secret that is filled with this byte.
    pub(crate) fn with_secret(byte: u8) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), BASE64_STANDARD.encode([byte; 32])).unwrap();
        // The file is gone afterwards, which leaves what was read.
        let secrets = Secrets::File(SecretFile::open(file.path().to_str().unwrap()).unwrap());
        Self { secrets, rejections: Arc::default() }
    }
}

#[test]
fn a_token_is_valid_for_its_request_beyond_the_deadline() {
    let callbacks = Callbacks::with_secret(1);
    let mut request = failing_exchanges::ask("http://p", 1);
    request.time_to_answer = Duration::from_hours(24);
    let token = callbacks.token(&request);
    let other = OrderId::new("2").unwrap();
    let end = request.attempt.deadline + TimeDelta::days(31);
    let verify = |order: &OrderId, step: &str, direction, now| callbacks.verify(&token, (order, step, direction), now);
    assert_eq!(verify(&request.order_id, "a", Direction::Do, end - TimeDelta::seconds(2)), Ok(()));
    assert_eq!(verify(&request.order_id, "a", Direction::Do, end), Err(Rejected::Expired));
    assert_eq!(verify(&request.order_id, "b", Direction::Do, end), Err(Rejected::Forged));
    assert_eq!(verify(&request.order_id, "a", Direction::Undo, end), Err(Rejected::Forged));
    assert_eq!(verify(&other, "a", Direction::Do, end), Err(Rejected::Forged));
    assert_eq!(Callbacks::with_secret(2).verify(&token, (&other, "a", Direction::Do), end), Err(Rejected::Forged));
}
