//! Asking a participant over HTTP: one exchange for one recorded attempt.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use domain::ids::OrderId;
use domain::order::{Direction, Reply};
use domain::workflow::address::AddressFault;
use domain::workflow::{Participant, Workflow};
use http_client::{Destinations, ParticipantTls};
use live::{Change, Live};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::bulkhead::{Admitted, Circuit, Services};
use super::clients::ClientsByPort;
use super::said::{Said, said};
use super::service_state::ServiceState;
use super::{ActionRequest, NoAddress, NotSent, Participants, RequestSigning, Settings, shortened};
use crate::callbacks::Callbacks;

/// The largest answer that is read, in bytes: what it carries ends up in the order's history.
const LARGEST_ANSWER: usize = 256 * 1024;

/// Participants over HTTP.
#[derive(Debug, Clone)]
pub struct HttpParticipants {
    clients: Live<ClientsByPort>,
    tls: ParticipantTls,
    /// Where later answers are to be sent: this instance, or the load balancer before it.
    callback_base: String,
    signing: RequestSigning,
    services: Services,
}

impl HttpParticipants {
    /// Connections are kept, Nagle's algorithm is off, redirects are not followed: an answer is
    /// what the participant itself says. Only permitted hosts are connected to. At most `max_calls`
    /// are made to one participant at once; an attempt waits for its turn, within its deadline.
    pub fn new(settings: Settings, callback_base: &str, max_calls: usize) -> Result<Self, reqwest::Error> {
        Self::with_tls(settings, callback_base, max_calls, &ParticipantTls::default())
    }

    /// The same, with a private authority, or a certificate to show.
    pub fn with_tls(
        settings: Settings,
        callback_base: &str,
        max_calls: usize,
        tls: &ParticipantTls,
    ) -> Result<Self, reqwest::Error> {
        let (clients, tls) = (Live::new(ClientsByPort::new(&settings.destinations, tls)?), tls.clone());
        let callback_base = callback_base.trim_end_matches('/').to_owned();
        let signing = RequestSigning::default();
        Ok(Self { clients, tls, callback_base, signing, services: Services::new(settings, max_calls) })
    }

    /// What permits these hosts, and so many calls to one participant at once. Other hosts get
    /// other connections; requests under way are finished on theirs.
    pub(crate) fn prepare(&self, destinations: Destinations, max_calls: usize) -> Result<Change, reqwest::Error> {
        let change = if self.services.permits(&destinations) {
            Change::default()
        } else {
            Change::default().set(&self.clients, ClientsByPort::new(&destinations, &self.tls)?)
        };
        let services = self.services.clone();
        Ok(change.then(move || services.change(destinations, max_calls)))
    }

    #[cfg(test)]
    pub(crate) fn limits(&self) -> (Destinations, usize) {
        self.services.limits()
    }

    /// Signs requests, and gives their callbacks tokens.
    #[must_use]
    pub fn signing(self, signing: RequestSigning) -> Self {
        Self { signing, ..self }
    }

    /// The tokens of callbacks, if callbacks have any.
    pub(crate) fn callbacks(&self) -> Option<&Callbacks> {
        self.signing.callbacks.as_ref()
    }

    async fn exchange(&self, ask: &ActionRequest, admitted: Admitted) -> Result<Reply, String> {
        let target = admitted.service().target(&ask.action)?;
        let time = ask.attempt.time_left(Utc::now());
        match self.answer(&target, ask).await {
            Ok((status, reply)) => {
                // A 5xx says that the service cannot act at all now. A "not now" of a single
                // request does not.
                match (&reply, status.filter(StatusCode::is_server_error)) {
                    (Reply::Misconfigured { error, .. }, _) => admitted.mistaken(error),
                    (_, Some(status)) => admitted.failed(&format!("it answered {status}")),
                    _ => admitted.answered(),
                }
                Ok(reply)
            }
            // The log took so long to record the attempt that the participant had hardly any time.
            // That says nothing of the participant.
            Err(NoAnswer { error, timed_out: true }) if !ask.attempt.shows_silence(time) => Err(error),
            Err(NoAnswer { error, .. }) => {
                admitted.failed(&error);
                Err(error)
            }
        }
    }

    /// The status of the answer, if one came, and what it says. A request that gets no connection
    /// by a mistake of the deployment has certainly not arrived.
    ///
    /// A participant may close a connection that is kept just as a request goes out on it. Such a
    /// request is sent once more, on a new connection, as the same attempt: its key lets the
    /// participant act once. Since it may have acted on the first, its "no" to the second is not
    /// taken for its last word: the next attempt is, and whatever was done is undone.
    async fn answer(&self, target: &Url, ask: &ActionRequest) -> Result<(Option<StatusCode>, Reply), NoAnswer> {
        let body = Bytes::from(body_of(ask)?);
        let request = |client: &reqwest::Client| self.request(client, target, ask, body.clone());
        let (sent, is_sent_twice) = self.clients.get().of(target).send(request).await;
        if !is_sent_twice {
            return reply(sent, ask, ask.attempt.unsure).await;
        }
        let (status, reply) = reply(sent, ask, true).await?;
        Ok((status, of_a_request_sent_twice(reply)))
    }

    /// The request of an attempt, with the time that is left of it. The signature covers exactly
    /// the bytes of the body.
    fn request(&self, client: &reqwest::Client, target: &Url, ask: &ActionRequest, body: Bytes) -> RequestBuilder {
        let (now, key) = (Utc::now(), ask.idempotency_key());
        let mut request = client
            .post(target.clone())
            .timeout(ask.attempt.time_left(now))
            // An encoded answer could be of any size once it is decoded.
            .header(ACCEPT_ENCODING, "identity")
            .header("Idempotency-Key", format!("\"{key}\""))
            .header("Tenuto-Attempt", ask.attempt.number)
            .header("Tenuto-Callback", callback(&self.callback_base, ask, self.callbacks()))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in self.signing.headers(&ask.participant, &key, now, &body) {
            request = request.header(name, value);
        }
        if let Some(undone) = ask.undone_key() {
            request = request.header("Tenuto-Undoes", format!("\"{undone}\""));
        }
        if let Some(traceparent) = &ask.traceparent {
            request = request.header("traceparent", traceparent);
        }
        request.body(body)
    }

    /// The participants of a definition that could not be asked here. They are not listed with the
    /// services of registered definitions: this one may be refused.
    pub(crate) fn unresolvable(&self, workflow: &Workflow) -> Vec<NoAddress> {
        address_faults(workflow, |_, url| self.services.address_fault(url))
    }

    /// The circuit of each participant that registered definitions name.
    pub fn circuits(&self) -> Vec<Circuit> {
        self.services.circuits()
    }

    /// How each service that was called stands with this instance.
    pub fn states(&self) -> Vec<ServiceState> {
        self.services.states()
    }
}

/// The body of a request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    order_id: &'a OrderId,
    step: &'a str,
    action: &'a str,
    input: &'a Value,
}

impl Participants for HttpParticipants {
    type Turn = Option<Admitted>;

    async fn turn(&self, ask: &ActionRequest, share: Option<usize>) -> Result<Self::Turn, NotSent> {
        let Participant::Http { url } = &ask.reach else { return Ok(None) };
        let service = self.services.at(url);
        service.serves(&ask.participant);
        // A setting that is missing here may be there after a restart, or at another instance: no
        // attempt is used.
        service.target(&ask.action).map_err(NotSent::NoTurn)?;
        let left = (ask.attempt.deadline - Utc::now()).to_std().unwrap_or(Duration::ZERO);
        service.admit(&ask.action, Instant::now() + left, share).await.map(Some)
    }

    async fn ask(&self, ask: ActionRequest, turn: Self::Turn) -> Reply {
        let unclear = |error: &str| Reply::Unclear { error: shortened(error), retry_after: None };
        let Some(admitted) = turn else { return unclear("it is not reached over HTTP") };
        self.exchange(&ask, admitted).await.unwrap_or_else(|error| unclear(&error))
    }

    fn has_room(&self, reach: &Participant, share: usize) -> bool {
        match reach {
            Participant::Http { url } => self.services.at(url).has_room(share),
            Participant::Events => true,
        }
    }

    fn has_address(&self, reach: &Participant) -> bool {
        match reach {
            Participant::Http { url } => self.services.at(url).address_fault().is_none(),
            Participant::Events => true,
        }
    }

    fn without_address(&self, workflow: &Workflow) -> Vec<NoAddress> {
        address_faults(workflow, |name, url| {
            let service = self.services.at(url);
            service.serves(name);
            service.address_fault()
        })
    }
}

/// The participants over HTTP that have a fault, by name and URL.
fn address_faults(workflow: &Workflow, fault: impl Fn(&str, &str) -> Option<AddressFault>) -> Vec<NoAddress> {
    let faulty = |(name, participant): (&String, &Participant)| {
        let Participant::Http { url } = participant else { return None };
        Some(NoAddress { participant: name.clone(), fault: fault(name, url)? })
    };
    workflow.participants.iter().filter_map(faulty).collect()
}

fn body_of(ask: &ActionRequest) -> Result<Vec<u8>, NoAnswer> {
    let told = Told { order_id: &ask.order_id, step: &ask.attempt.step, action: &ask.action, input: &ask.input() };
    let unwritten = |error| NoAnswer { error: format!("the request cannot be written: {error}"), timed_out: false };
    serde_json::to_vec(&told).map_err(unwritten)
}

/// The status of an answer, if one came, and what it says.
async fn reply(
    sent: Result<Response, reqwest::Error>,
    ask: &ActionRequest,
    unsure: bool,
) -> Result<(Option<StatusCode>, Reply), NoAnswer> {
    let response = match sent {
        Ok(response) => response,
        Err(error) => {
            let mistake = http_client::mistake(&error).ok_or_else(|| NoAnswer::from(&error))?;
            let error = shortened(&mistake);
            return Ok((None, Reply::Misconfigured { error, retry_after: None, maybe_done: false }));
        }
    };
    let status = response.status();
    let header = |name: HeaderName| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (media_type, retry_after, encoding) = (header(CONTENT_TYPE), header(RETRY_AFTER), header(CONTENT_ENCODING));
    let (bytes, broken) = http_client::at_most(response, LARGEST_ANSWER).await;
    if let Some(error) = broken.filter(|_| status.is_success()) {
        return Err(NoAnswer::from(&error));
    }
    let answer = Said { status, media_type: &media_type, retry_after: &retry_after, encoding: &encoding, body: &bytes };
    Ok((Some(status), said(answer, unsure, &ask.give_up_on, Utc::now())))
}

/// What the second answer means where the request was sent twice: the participant may have acted on
/// the first.
fn of_a_request_sent_twice(reply: Reply) -> Reply {
    match reply {
        Reply::Refused { error } => {
            let error = format!("{error}; the request was sent twice, since the connection was closed");
            Reply::Unclear { error: shortened(&error), retry_after: None }
        }
        Reply::Misconfigured { error, retry_after, .. } => {
            Reply::Misconfigured { error, retry_after, maybe_done: true }
        }
        reply @ (Reply::Done { .. } | Reply::Accepted | Reply::Unclear { .. } | Reply::Held { .. }) => reply,
    }
}

/// The URL for a later answer. That of an undo differs from that of the step.
fn callback(base: &str, ask: &ActionRequest, callbacks: Option<&Callbacks>) -> String {
    let direction = (ask.attempt.direction == Direction::Undo).then(|| "direction=undo".to_owned());
    let token = callbacks.map(|callbacks| format!("token={}", callbacks.token(ask)));
    let query: Vec<String> = direction.into_iter().chain(token).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{base}/orders/{}/steps/{}/outcome{mark}{}", ask.order_id, ask.attempt.step, query.join("&"))
}

/// An exchange that failed.
struct NoAnswer {
    /// Why, without the URL's credentials and down to the cause.
    error: String,
    /// Whether its time ran out.
    timed_out: bool,
}

impl From<&reqwest::Error> for NoAnswer {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self { error: "no answer in time".to_owned(), timed_out: true };
        }
        let cause = http_client::causes(error).last().map(ToString::to_string).unwrap_or_default();
        let error =
            if error.is_connect() { format!("no connection: {cause}") } else { format!("the exchange broke: {cause}") };
        Self { error, timed_out: false }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use futures::future::join_all;
    use tokio::net::TcpListener;

    use super::super::failing_exchanges;
    use super::*;

    /// How long an exchange may take.
    const EXCHANGE: TimeDelta = TimeDelta::milliseconds(200);

    /// The circuit to a participant that answers none of many attempts, each recorded so long ago.
    async fn circuit_after(recorded: TimeDelta) -> String {
        // Connections are accepted by the system, and nothing is read from them.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let participants = HttpParticipants::new(Settings::default(), "http://127.0.0.1:1", 20).unwrap();
        let attempt = async || {
            let mut ask = failing_exchanges::ask(&url, 1);
            ask.attempt.recorded_at = Utc::now() - recorded;
            ask.attempt.deadline = ask.attempt.recorded_at + EXCHANGE;
            let turn = participants.turn(&ask, None).await.unwrap();
            participants.ask(ask, turn).await
        };
        for reply in join_all((0..20).map(|_| attempt())).await {
            assert!(matches!(&reply, Reply::Unclear { error, .. } if error == "no answer in time"), "{reply:?}");
        }
        let states = serde_json::to_value(participants.states()).unwrap();
        states[0]["circuit"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn an_attempt_that_had_hardly_any_time_does_not_count_against_its_participant() {
        // Its time ends a second after its deadline: 50 of 200 ms are left.
        assert_eq!(circuit_after(EXCHANGE + TimeDelta::milliseconds(950)).await, "closed");
        assert_eq!(circuit_after(TimeDelta::zero()).await, "open");
    }
}
