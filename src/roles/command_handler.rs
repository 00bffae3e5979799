//! `tenuto command-handler`: the command endpoint, and the orchestrator that drives orders.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use access::SecondPerson;
use authentication::AuthenticationArgs;
use clap::Args;
use command_handler::{
    Admission, AdmissionBounds, AllParticipants, Controls, HttpParticipants, KeyTable, Limits, Orchestrator,
    OrchestratorOptions, Production, RegisterError, ReplyReaderOptions, RequestSigning, Settings, SystemClock,
    TodoOptions, Usage, WebhookSetup, Webhooks,
};
use domain::order::WorkflowRef;
use domain::workflow::address;
use event_store::EventStore;
use forward::{Forward, Role};
use http_client::{Destinations, Rule, WebhookArgs, WebhookTlsFault};
use live::RELOADED;
use secrets::SecretError;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::watched::{Alarms, Watched, Watching, wait_for_servers};
use super::{HTTP_SERVER, RoleResult};
use crate::workflows;
use command_line::output;
use http_client::ParticipantFiles;
use http_server::Listen;
use http_server::door::{Door, STARTING};
use servers::ServerUrls;
use servers::stream_prefix::{adopt_in_time, adopt_verified};
use signals::reload::Reload;
use signing::SigningOptions;
use supervisor::{Supervisor, TaskEnded};
use traces::Sampling;

/// The time limit for running attempts when the process stops.
const LEAVING: Duration = Duration::from_secs(15);
/// The time limit for releasing leases in Postgres.
const RELEASING: Duration = Duration::from_secs(2);
/// The role that answers what this one does not.
const QUERIES: Role = Role { name: "the query API", option: "--query-url" };
/// How many seconds the registration of workflows waits for a log that is starting.
const LOG_PATIENCE: usize = 60;

/// Options of `tenuto command-handler`.
#[derive(Debug, Args)]
pub(crate) struct CommandHandlerArgs {
    #[command(flatten)]
    servers: ServerUrls,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    #[command(flatten)]
    driving: Driving,
    /// The URL at which participants deliver later answers [default: the address that this process
    /// listens on]
    #[arg(long, env = "TENUTO_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The URL of a query API: requests that this role does not answer itself, such as queries and
    /// the console, go there through this server. Without it, they are answered 404
    #[arg(long, env = "TENUTO_QUERY_URL", value_name = "URL")]
    query_url: Option<String>,
    /// How long `/readyz` reports that this instance is leaving before it closes its port, in
    /// seconds, so that a load balancer notices
    #[arg(long, env = "TENUTO_DRAIN_SECONDS", default_value_t = 2, value_name = "SECONDS")]
    drain_seconds: u64,
}

/// Options of the roles that drive orders.
#[derive(Debug, Clone, Args)]
pub(crate) struct Driving {
    /// A folder of workflow files to register in addition to the shipped ones
    #[arg(long, env = "TENUTO_WORKFLOWS", value_name = "FOLDER")]
    workflows: Option<PathBuf>,
    /// The most orders that this instance drives at the same time; past it, new orders are answered
    /// 503
    #[arg(
        long,
        alias = "most-active-orders",
        env = "TENUTO_MAX_ACTIVE_ORDERS",
        default_value_t = 2_000,
        value_name = "N",
        help_heading = RELOADED
    )]
    max_active_orders: usize,
    /// The most calls to one participant at the same time; further calls wait
    #[arg(
        long,
        alias = "most-calls",
        env = "TENUTO_MAX_CALLS",
        default_value_t = 48,
        value_name = "N",
        help_heading = RELOADED
    )]
    max_calls: usize,
    /// The hosts that requests to participants may go to: names, *.NAME for all names below one,
    /// addresses and networks, each with ':' and a port if only that one is meant [default: all,
    /// but for link-local addresses and those where clouds hand out credentials]
    #[arg(
        long,
        env = "TENUTO_PARTICIPANT_HOSTS",
        value_name = "HOST,…",
        value_delimiter = ',',
        help_heading = RELOADED
    )]
    participant_hosts: Vec<Rule>,
    /// How far the views may be behind, in seconds; past it, new orders are answered 503. 0: no
    /// limit
    #[arg(
        long,
        alias = "most-lag-seconds",
        env = "TENUTO_MAX_LAG_SECONDS",
        default_value_t = 60,
        value_name = "SECONDS",
        help_heading = RELOADED
    )]
    max_lag_seconds: u64,
    /// The most overdue orders on the to-do list; past it, new orders are answered 503. 0: no limit
    #[arg(
        long,
        alias = "most-overdue",
        env = "TENUTO_MAX_OVERDUE",
        default_value_t = 10_000,
        value_name = "N",
        help_heading = RELOADED
    )]
    max_overdue: u64,
    /// Registered workflows that are not used any more: their settings may be missing, as long as
    /// no open order follows them
    #[arg(long, env = "TENUTO_UNUSED_WORKFLOWS", value_delimiter = ',', value_name = "NAME,…")]
    unused_workflows: Vec<String>,
    /// How long other instances leave an order alone that this instance took from the to-do list,
    /// in seconds
    #[arg(long, env = "TENUTO_LEASE_SECONDS", default_value_t = 10, value_name = "SECONDS")]
    lease_seconds: u64,
    #[command(flatten)]
    participants: ParticipantFiles,
    #[command(flatten)]
    pub sampling: Sampling,
    #[command(flatten)]
    pub signing: SigningOptions,
    #[command(flatten)]
    webhooks: WebhookArgs,
    /// Whether everything runs on one machine: endpoints of webhooks may be there, too.
    #[arg(skip)]
    on_one_machine: bool,
}

impl Driving {
    /// The settings for participants' URLs. Where hosts are named, `own` ones need not be.
    pub fn settings(&self, own: Option<Rule>) -> Result<Settings, SecretError> {
        Settings::in_environment(self.destinations(own))
    }

    fn destinations(&self, own: Option<Rule>) -> Destinations {
        let mut rules = self.participant_hosts.clone();
        rules.extend(own.filter(|_| !self.participant_hosts.is_empty()));
        Destinations::new(rules)
    }

    /// What can change while a role runs.
    pub fn limits(&self, own: Option<Rule>) -> Limits {
        let max_lag = Duration::from_secs(self.max_lag_seconds);
        Limits {
            max_active: self.max_active_orders,
            max_calls: self.max_calls,
            bounds: AdmissionBounds { max_lag, max_overdue: self.max_overdue },
            participants: self.destinations(own),
            webhooks: self.webhooks.destinations(self.on_one_machine),
            webhook_timeout: self.webhooks.timeout(),
        }
    }

    /// The same, where everything runs on one machine.
    pub fn local(&self) -> Self {
        Self { on_one_machine: true, ..self.clone() }
    }

    fn webhooks(&self) -> Result<WebhookSetup, WebhookTlsFault> {
        let of = &self.webhooks;
        let (destinations, tls) = (of.destinations(self.on_one_machine), of.tls()?);
        Ok(WebhookSetup { destinations, tls, timeout: of.timeout(), retries: of.retries() })
    }
}

pub(crate) async fn run(args: CommandHandlerArgs, reload: Reload) -> RoleResult {
    let (stop, asked) = signals::stop::of_role()?;
    let event_store = EventStore::connect(args.servers.named_event_store()?)?;
    let postgres = args.servers.named_postgres()?;
    let authentication = args.authentication.begin()?;
    let listener = args.listen.bind(authentication.of_gate()).await?;
    let (url, controls, of_reload) = (listener.url()?, listener.controls(), authentication.clone());
    let limits = Controls::new(args.driving.limits(None));
    let driving = (args.driving, limits.clone(), authentication.second_person());
    tokio::spawn(reload.run(asked, move |args: &CommandHandlerArgs| {
        let change = controls.prepare(&args.listen)?.and(of_reload.prepare(&args.authentication)?);
        Ok(change.and(limits.prepare(args.driving.limits(None))?))
    }));
    let public_url = args.public_url.unwrap_or_else(|| url.clone());
    address::base(&public_url).map_err(BadPublicUrl)?;
    let queries = args.query_url.map(|url| Forward::new(QUERIES, &url, stop.clone(), STARTING)).transpose()?;
    let (door, closed, alarms) = (Door::new(STARTING), CancellationToken::new(), Alarms::of(&listener));
    let mut server = Supervisor::new(closed.clone(), alarms.tasks.clone());
    server.run(HTTP_SERVER, http_server::serve(listener, door.router(), closed.clone()));
    tokio::spawn(service_manager::report(door.clone()));
    wait_for_servers(&door, &event_store, &stop);
    let start = async {
        let adopted = async { Ok(adopt_in_time(&event_store, args.servers.stream_prefix.as_deref()).await?) };
        let pool = async { Ok::<_, Box<dyn std::error::Error>>(servers::views_beside(&event_store, postgres).await?) };
        let (pool, _) = tokio::try_join!(pool, adopted)?;
        authentication.look_up_keys_in(&pool);
        servers::may_append(&event_store, &command_handler::streams()).await?;
        let (alarms, leaving, closed) = (&alarms, &stop, &closed);
        let watched = Watched { event_store: &event_store, pool: &pool, alarms, leaving, closed, projector: None };
        let Watching { guard, probes, .. } = watched.start(Some(&door), None);
        door.waits_behind("the log, which is compared with the views", probes.clone());
        guard.verified().await;
        adopt_verified(&event_store, args.servers.stream_prefix.as_deref()).await?;
        let (settings, leaving) = (driving.0.settings(None)?, stop.clone());
        let handler = Handler::start(&event_store, &pool, settings, public_url, &driving, leaving, alarms).await?;
        Ok::<_, Box<dyn std::error::Error>>((handler, probes))
    };
    let (handler, probes) = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.stop().await?),
        started = start => started?,
        ended = server.failed() => return Err(ended.into()),
    };
    let router = handler.router.clone().merge(probes);
    match queries {
        Some(queries) => door.open_with_rest(router, queries.router()),
        None => door.open(router),
    }
    output::announce(&format!("commands at {url}/orders\n"));
    tokio::select! {
        () = stop.cancelled() => {}
        ended = server.failed() => return Err(ended.into()),
    }
    tokio::time::sleep(Duration::from_secs(args.drain_seconds)).await;
    // The port is closed first: a load balancer sends a request that gets no connection elsewhere,
    // but not a command that was answered 503.
    let of_server = server.stop().await;
    handler.stop().await?;
    Ok(of_server?)
}

/// A command handler that is running.
pub(crate) struct Handler {
    pub router: axum::Router,
    orchestrator: Production,
    pool: PgPool,
    /// Its name in the leases.
    owner: String,
    /// The loops that feed and watch the orchestrator.
    tasks: Supervisor,
}

/// Participants could not reach this service with later answers.
#[derive(Debug, thiserror::Error)]
#[error("--public-url (TENUTO_PUBLIC_URL) {0}; give the URL of the command endpoint, like https://orders.example")]
struct BadPublicUrl(String);

/// A workflow file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("workflow file {from}: {source}")]
struct BadWorkflow {
    from: String,
    source: RegisterError,
}

impl Handler {
    /// Registers the workflows, and starts to drive orders with due work.
    pub async fn start(
        event_store: &EventStore,
        pool: &PgPool,
        settings: Settings,
        public_url: String,
        (driving, controls, second_person): &(Driving, Controls, SecondPerson),
        leaving: CancellationToken,
        alarms: &Alarms,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let webhooks = Webhooks::new(event_store.clone(), pool.clone(), &driving.webhooks()?, &public_url)?;
        let signing = RequestSigning::start(pool, &driving.signing).await?;
        let tls = driving.participants.load()?;
        let http = HttpParticipants::with_tls(settings, &public_url, driving.max_calls, &tls)?;
        let http = http.signing(signing.clone());
        let participants = AllParticipants::new(http, event_store.clone(), &public_url);
        let keys = Arc::new(KeyTable::new(pool.clone()));
        let (max_active, sample_ratio) = (driving.max_active_orders, driving.sampling.trace_sample_ratio);
        let options = OrchestratorOptions { max_active, sample_ratio, ..OrchestratorOptions::default() };
        let orchestrator = Orchestrator::new(event_store.clone(), participants, keys.clone(), SystemClock, options);
        let mut usage = Usage { optional: driving.unused_workflows.clone(), ..Usage::default() };
        for (from, text) in workflows::all(driving.workflows.as_deref())? {
            let is_shipped = from == workflows::SHIPPED_FROM;
            let reference = register(&orchestrator, &text).await.map_err(|source| BadWorkflow { from, source })?;
            if is_shipped {
                usage.optional.push(reference.name);
            } else {
                usage.given.push(reference);
            }
        }
        command_handler::look_for_unreachable(&orchestrator, pool, &usage, &alarms.unreachable).await;
        let stop_feeding = CancellationToken::new();
        let owner = Uuid::now_v7().to_string();
        let todo_options = TodoOptions {
            owner: owner.clone(),
            lease: Duration::from_secs(driving.lease_seconds),
            every: Duration::from_millis(500),
            most: 200,
            alarm: alarms.log.clone(),
        };
        let admission = Admission::with(alarms.log.clone());
        let replies = ReplyReaderOptions { alarm: alarms.log.clone(), ..ReplyReaderOptions::default() };
        let bounds = controls.bounds();
        let mut tasks = Supervisor::new(stop_feeding.clone(), alarms.tasks.clone());
        // Each of these loops keeps nothing in memory from round to round, so it is started again.
        tasks.keep_running("the loop over the to-do list", {
            let (orchestrator, pool, stop) = (orchestrator.clone(), pool.clone(), stop_feeding.clone());
            move || command_handler::run_todo(orchestrator.clone(), pool.clone(), todo_options.clone(), stop.clone())
        });
        tasks.keep_running("the reader of replies", {
            let (orchestrator, log, pool) = (orchestrator.clone(), event_store.clone(), pool.clone());
            let stop = stop_feeding.clone();
            move || {
                let (orchestrator, log, pool) = (orchestrator.clone(), log.clone(), pool.clone());
                command_handler::run_replies(orchestrator, log, pool, replies.clone(), stop.clone())
            }
        });
        tasks.keep_running("the delivery of webhooks", {
            let (webhooks, alarm, stop) = (webhooks.clone(), alarms.log.clone(), stop_feeding.clone());
            move || webhooks.clone().run(alarm.clone(), stop.clone())
        });
        tasks.keep_running("the watch over the bounds of admission", {
            let (orchestrator, admission, pool) = (orchestrator.clone(), admission.clone(), pool.clone());
            let (bounds, stop) = (bounds.clone(), stop_feeding.clone());
            move || {
                let (orchestrator, admission, pool) = (orchestrator.clone(), admission.clone(), pool.clone());
                command_handler::watch_bounds(orchestrator, admission, bounds.clone(), pool, stop.clone())
            }
        });
        tasks.keep_running("the watch over batches that wait for approval", {
            let (log, pool, stop) = (event_store.clone(), pool.clone(), stop_feeding.clone());
            move || command_handler::expire_batches(log.clone(), SystemClock, pool.clone(), stop.clone())
        });
        tasks.keep_running("the watch over the secrets of callbacks", {
            let stop = stop_feeding.clone();
            move || signing.clone().watch(stop.clone())
        });
        tasks.keep_running("the watch over participants' addresses", {
            let (orchestrator, pool, unreachable) = (orchestrator.clone(), pool.clone(), alarms.unreachable.clone());
            move || {
                let (orchestrator, pool, unreachable) = (orchestrator.clone(), pool.clone(), unreachable.clone());
                command_handler::watch_unreachable(orchestrator, pool, usage.clone(), unreachable, stop_feeding.clone())
            }
        });
        controls.begin(&orchestrator, &webhooks);
        alarms.handler.begin(orchestrator.clone(), pool.clone(), &webhooks);
        let of_webhooks = command_handler::webhook_router(&webhooks, admission.clone());
        let (log, views) = (event_store.clone(), pool.clone());
        let router =
            command_handler::router(orchestrator.clone(), log, keys, views, second_person.clone(), leaving, admission);
        let router = router.merge(of_webhooks);
        Ok(Self { router, orchestrator, pool: pool.clone(), owner, tasks })
    }

    /// Records the results of running attempts, and leaves the orders to other instances.
    pub async fn stop(self) -> Result<(), TaskEnded> {
        // The loops end by themselves, between two queries or after the replies that they hold.
        let stopped = self.tasks.stop().await;
        self.orchestrator.shutdown(LEAVING).await;
        match tokio::time::timeout(RELEASING, views::todo::release_leases(&self.pool, &self.owner)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "leases were not released: they will expire"),
            Err(_) => tracing::warn!("leases were not released, because Postgres does not answer: they will expire"),
        }
        stopped
    }
}

/// The log may still be starting, on another machine.
async fn register(orchestrator: &Production, text: &str) -> Result<WorkflowRef, RegisterError> {
    for _ in 0..LOG_PATIENCE {
        match orchestrator.workflows().register(text).await {
            Ok(registration) => return Ok(registration.reference),
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "the log does not answer yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
    orchestrator.workflows().register(text).await.map(|registration| registration.reference)
}
