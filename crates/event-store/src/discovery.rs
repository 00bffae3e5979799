//! Chooses the node to connect to.
//!
//! The nodes of a cluster are asked in parallel, and the first answer that names a suitable node
//! counts. For a while after a node stopped answering, the other nodes' answers about it are
//! ignored: they may not have noticed yet.

use std::net::SocketAddr;
use std::time::Duration;

use event_store_protocol::gossip::MemberInfo;
use event_store_protocol::gossip::member_info::VNodeState;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::dial::{Dialer, addresses, silent};
use super::error::ConnectError;
use super::fault::{Broken, Fault};
use super::link::{CallSettings, Link};
use super::settings::{Endpoint, NodePreference, Settings};

/// How long the other nodes' answers about it are ignored. A cluster has noticed by then.
const DOUBT: Duration = Duration::from_secs(5);
/// How many nodes are asked. A cluster has at most seven, and a name may have stale addresses.
const MAX_CANDIDATES: usize = 16;

/// How to find and reach nodes, and what earlier connections showed about them.
pub(super) struct Discovery {
    settings: Settings,
    dialer: Dialer,
    call_settings: CallSettings,
    /// The nodes in the last answer. The hosts of the connection string may all have been replaced
    /// since.
    known: Vec<Endpoint>,
    /// The leader's address, as reported by a node that does not lead.
    referred_to: Option<Endpoint>,
    doubted: Option<(Endpoint, Instant)>,
    ever_connected: bool,
}

/// A node, or one of the addresses of a name that covers all nodes.
struct Candidate {
    node: Endpoint,
    at: Option<SocketAddr>,
}

impl Discovery {
    pub(super) fn new(settings: Settings) -> Result<Self, ConnectError> {
        let (dialer, call_settings) = (Dialer::new(&settings)?, CallSettings::new(&settings));
        Ok(Self {
            settings,
            dialer,
            call_settings,
            known: Vec::new(),
            referred_to: None,
            doubted: None,
            ever_connected: false,
        })
    }

    /// Remembers why a connection ended, for the choice of the next node.
    pub(super) fn learn(&mut self, node: &Endpoint, fault: &Fault) {
        match fault {
            Fault::NotLeader(Some(leader)) => self.referred_to = Some(leader.clone()),
            Fault::NotLeader(None) => {}
            _ => self.doubted = Some((node.clone(), Instant::now())),
        }
    }

    /// Connects to the single node, or to the best node of a cluster.
    ///
    /// The future is boxed here: otherwise each crate that awaits a call of the log would have its
    /// copy of the code that connects, which is most of a client for HTTP/2.
    pub(super) fn connect(&mut self) -> BoxFuture<'_, Result<Link, Fault>> {
        Box::pin(async {
            let link = self.connect_once().await;
            let link = link.map_err(|fault| if self.ever_connected { fault } else { not_yet(fault) })?;
            self.ever_connected = true;
            Ok(link)
        })
    }

    async fn connect_once(&mut self) -> Result<Link, Fault> {
        // If that is no usable node, the search starts again.
        if let Some(leader) = self.referred_to.take()
            && let Ok(link) = self.open(&leader, None).await
        {
            return Ok(link);
        }
        if self.settings.is_cluster() {
            let best = self.best_node().await?;
            return self.open(&best, None).await;
        }
        match self.settings.hosts.first() {
            Some(host) => self.open(host, None).await,
            None => Err(Fault::misconfigured("the connection string has no host")),
        }
    }

    async fn open(&self, node: &Endpoint, at: Option<SocketAddr>) -> Result<Link, Fault> {
        let stream = self.dialer.dial(node, at).await?;
        let greeted = async {
            let link = Link::over(stream, node.clone(), &self.call_settings).await?;
            match link.greet().await {
                // An older server does not report its features.
                Ok(()) | Err(Fault::Answer(Code::Unimplemented | Code::NotFound, _)) => Ok(link),
                Err(Fault::Connection(Broken { reason, .. })) => Err(self.not_understood(node, &reason)),
                Err(fault) => Err(fault),
            }
        };
        let limit = self.settings.gossip_timeout;
        timeout(limit, greeted).await.unwrap_or_else(|_| Err(silent(node, limit)))
    }

    /// A connection that was made, and ended before the first answer.
    fn not_understood(&self, node: &Endpoint, reason: &str) -> Fault {
        let remedy = if self.settings.tls {
            "check that it is an EventStoreDB or KurrentDB"
        } else {
            "if it expects TLS, remove tls=false from the connection string"
        };
        Fault::broken(format!("{node} ends the connection without an answer ({reason}); {remedy}"))
    }

    async fn best_node(&mut self) -> Result<Endpoint, Fault> {
        let candidates = self.candidates().await?;
        let mut answers: FuturesUnordered<_> = candidates.into_iter().map(|candidate| self.ask(candidate)).collect();
        let mut faults = Vec::new();
        let mut answered = false;
        let mut second_best = None;
        let mut chosen = None;
        while let Some((node, answer)) = answers.next().await {
            let members = match answer {
                Ok(members) => members,
                Err(fault) => {
                    faults.push((node, fault));
                    continue;
                }
            };
            answered = true;
            match self.choice(&node, &members) {
                Some((best, true)) => {
                    chosen = Some((best, members));
                    break;
                }
                Some((other, false)) => second_best = second_best.or(Some((other, members))),
                None => {}
            }
        }
        drop(answers);
        match chosen.or(second_best) {
            Some((best, members)) => {
                self.known = members.iter().filter_map(endpoint).take(MAX_CANDIDATES).collect();
                Ok(best)
            }
            None if answered => Err(Fault::NotLeader(None)),
            None => Err(all_fail(&self.settings, faults)),
        }
    }

    async fn ask(&self, Candidate { node, at }: Candidate) -> (Endpoint, Result<Vec<MemberInfo>, Fault>) {
        let limit = self.settings.gossip_timeout * 2;
        let answer = async { self.open(&node, at).await?.members().await };
        let answer = timeout(limit, answer).await.unwrap_or_else(|_| Err(silent(&node, limit)));
        (node, answer)
    }

    async fn candidates(&self) -> Result<Vec<Candidate>, Fault> {
        let mut candidates = Vec::new();
        if let (true, [name]) = (self.settings.discover, self.settings.hosts.as_slice()) {
            match addresses(name).await {
                Ok(found) => {
                    candidates.extend(found.into_iter().map(|at| Candidate { node: name.clone(), at: Some(at) }));
                }
                Err(fault) if self.known.is_empty() => return Err(fault),
                Err(_) => {}
            }
        } else {
            candidates.extend(self.settings.hosts.iter().map(|node| Candidate { node: node.clone(), at: None }));
        }
        for node in &self.known {
            if !candidates.iter().any(|candidate| candidate.node == *node) {
                candidates.push(Candidate { node: node.clone(), at: None });
            }
        }
        candidates.truncate(MAX_CANDIDATES);
        Ok(candidates)
    }

    /// The best of the nodes that one of them names, and whether it is of the wanted kind. A leader
    /// always is, because only a leader accepts appends.
    fn choice(&self, asked: &Endpoint, members: &[MemberInfo]) -> Option<(Endpoint, bool)> {
        let is_doubted = |node: &Endpoint| {
            self.doubted.as_ref().is_some_and(|(doubted, since)| doubted == node && since.elapsed() < DOUBT)
        };
        let mut usable: Vec<(Endpoint, VNodeState)> = members
            .iter()
            .filter(|member| member.is_alive)
            .filter_map(|member| Some((endpoint(member)?, member.state())))
            .filter(|(node, state)| serves(*state) && (node == asked || !is_doubted(node)))
            .collect();
        let wanted = |state: VNodeState| match self.settings.preference {
            NodePreference::Leader => state == VNodeState::Leader,
            NodePreference::Follower => state == VNodeState::Follower,
            NodePreference::ReadOnlyReplica => {
                matches!(state, VNodeState::ReadOnlyReplica | VNodeState::ReadOnlyLeaderless)
            }
            NodePreference::Random => true,
        };
        if let Some(at) = usable.iter().position(|(_, state)| wanted(*state)) {
            return Some((usable.swap_remove(at).0, true));
        }
        if self.settings.preference == NodePreference::Leader {
            return None;
        }
        usable.pop().map(|(node, _)| (node, false))
    }
}

/// As long as no connection has worked yet, a node that does not understand the protocol means a
/// wrong setting, not a server that restarts.
fn not_yet(fault: Fault) -> Fault {
    match fault {
        Fault::Connection(Broken { reason, .. }) if reason.contains("tls=false") => Fault::misconfigured(reason),
        fault => fault,
    }
}

fn serves(state: VNodeState) -> bool {
    !matches!(state, VNodeState::Manager | VNodeState::ShuttingDown | VNodeState::Shutdown)
}

fn endpoint(member: &MemberInfo) -> Option<Endpoint> {
    let at = member.http_end_point.as_ref()?;
    Some(Endpoint { host: at.address.clone(), port: u16::try_from(at.port).ok()? })
}

/// Why no node answered: each node with its reason.
fn all_fail(settings: &Settings, faults: Vec<(Endpoint, Fault)>) -> Fault {
    let for_good = !faults.is_empty()
        && faults.iter().all(|(_, fault)| match fault {
            Fault::Connection(broken) => broken.for_good,
            fault => matches!(fault, Fault::Denied(_)),
        });
    let mut reasons: Vec<String> = faults.into_iter().map(|(_, fault)| fault.to_string()).collect();
    reasons.sort();
    reasons.dedup();
    let reason = format!("no node of {} gives an answer: {}", settings.names(), reasons.join("; "));
    Fault::Connection(Broken { reason, for_good })
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_store_protocol::gossip::EndPoint;

    fn discovery(options: &str) -> Discovery {
        Discovery::new(Settings::parse(&format!("esdb://a:1,b:2?tls=false{options}")).unwrap()).unwrap()
    }

    fn node(port: u16) -> Endpoint {
        Endpoint { host: "n".into(), port }
    }

    fn member(port: u16, state: VNodeState, is_alive: bool) -> MemberInfo {
        let http_end_point = Some(EndPoint { address: "n".into(), port: port.into() });
        MemberInfo { instance_id: None, time_stamp: 0, state: state.into(), is_alive, http_end_point }
    }

    #[test]
    fn only_the_leader_is_chosen_if_a_leader_is_wanted() {
        let discovery = discovery("");
        let cluster = [member(1, VNodeState::Follower, true), member(2, VNodeState::Leader, true)];
        assert_eq!(discovery.choice(&node(1), &cluster), Some((node(2), true)));
        let leaderless = [member(1, VNodeState::Follower, true), member(2, VNodeState::Leader, false)];
        assert_eq!(discovery.choice(&node(1), &leaderless), None);
    }

    #[test]
    fn a_preference_is_met_if_possible() {
        let discovery = discovery("&nodePreference=follower");
        let cluster = [member(2, VNodeState::Leader, true), member(1, VNodeState::Follower, true)];
        assert_eq!(discovery.choice(&node(2), &cluster), Some((node(1), true)));
        assert_eq!(discovery.choice(&node(2), &cluster[..1]), Some((node(2), false)));
    }

    #[test]
    fn a_leader_that_stopped_answering_is_chosen_again_when_it_answers_itself() {
        let mut discovery = discovery("");
        discovery.learn(&node(2), &Fault::NoAnswer(Duration::from_secs(1)));
        let stale = [member(1, VNodeState::Follower, true), member(2, VNodeState::Leader, true)];
        assert_eq!(discovery.choice(&node(1), &stale), None);
        assert_eq!(discovery.choice(&node(2), &stale), Some((node(2), true)));
    }
}
