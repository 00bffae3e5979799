//! `tenuto participants`: the reference services.

use clap::Args;
use domain::wire::participants::REPLY_STREAM_PREFIX;
use event_store::EventStore;
use leader_consumer::LogAlarm;
use participants::{MailServer, Options};
use secrets::{SecretString, exposed};
use sqlx::PgPool;

use super::{HTTP_SERVER, RoleResult};
use command_line::output;
use http_server::Listen;
use http_server::door::{Door, STARTING};
use probes::health::Dependencies;
use probes::metrics::Sources;
use probes::{health, metrics};
use servers::ServerUrls;
use signals::reload::Reload;
use signing::ParticipantSecretsOption;
use supervisor::{Supervisor, TaskHealth};

/// Options of `tenuto participants`.
#[derive(Debug, Args)]
pub(crate) struct ParticipantsArgs {
    #[command(flatten)]
    servers: ServerUrls,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    mail: Mail,
    #[command(flatten)]
    secrets: ParticipantSecretsOption,
    /// Also read requests from the log, and reply there
    #[arg(long, env = "TENUTO_BY_EVENTS")]
    by_events: bool,
    /// Read requests from the beginning of the log, where those read so far came from another log;
    /// what was handled before has no second effect
    #[arg(long, requires = "by_events")]
    read_again: bool,
}

/// Where mail goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Mail {
    /// A mail server, as `smtp://HOST:PORT`; without one, mail is kept in a mailbox that can be
    /// read
    #[arg(long, env = "TENUTO_SMTP", value_name = "URL", hide_env_values = true)]
    smtp: Option<SecretString>,
    /// The sender of all mail
    #[arg(long, env = "TENUTO_MAIL_FROM", default_value = "orders@localhost", value_name = "ADDRESS")]
    mail_from: String,
}

impl Mail {
    /// The options of the services.
    pub fn options(&self) -> Result<Options, Box<dyn std::error::Error>> {
        let mail_server = exposed(self.smtp.as_ref()).map(|url| MailServer::new(url, &self.mail_from)).transpose()?;
        Ok(Options { mail_server, ..Options::default() })
    }
}

pub(crate) async fn run(args: ParticipantsArgs, reload: Reload) -> RoleResult {
    let (stop, asked) = signals::stop::of_role()?;
    let postgres = args.servers.named_postgres()?;
    let alarm = LogAlarm::default();
    let options = Options { alarm: alarm.clone(), secrets: args.secrets.participant_secrets(), ..args.mail.options()? };
    let log = if args.by_events { Some(EventStore::connect(args.servers.named_event_store()?)?) } else { None };
    let listener = args.listen.bind(None).await?;
    let (url, controls) = (listener.url()?, listener.controls());
    tokio::spawn(reload.run(asked, move |args: &ParticipantsArgs| Ok(controls.prepare(&args.listen)?)));
    let (open, access_log) = (listener.warning(), listener.access_log().clone());
    let door = Door::new(STARTING);
    let health_of_tasks = TaskHealth::default();
    let mut server = Supervisor::new(stop.clone(), health_of_tasks.clone());
    server.run(HTTP_SERVER, http_server::serve(listener, door.router(), stop.clone()));
    tokio::spawn(service_manager::report(door.clone()));
    door.waits_for("Postgres");
    let start = async {
        let pool = servers::connect(postgres).await?;
        if let Some(log) = &log {
            servers::may_append(log, &[REPLY_STREAM_PREFIX]).await?;
        }
        participants::migrate(&pool).await?;
        if args.read_again {
            participants::read_requests_again(&pool).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(pool)
    };
    let pool = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.stop().await?),
        started = start => started?,
    };
    let dependencies = Dependencies {
        pool: Some(pool.clone()),
        alarm: alarm.clone(),
        tasks: health_of_tasks.clone(),
        open,
        ..Dependencies::default()
    };
    let router = participants::router(pool.clone(), options.clone())
        .merge(health::router(dependencies, stop.clone()))
        .merge(metrics::router(Sources {
            pool: Some(pool.clone()),
            alarm,
            tasks: health_of_tasks.clone(),
            access_log,
            ..Sources::default()
        }));
    door.open(router);
    output::announce(&format!("orders, payments, shipping and notifications at {url}\n"));
    let mut tasks = Supervisor::new(stop.clone(), health_of_tasks.clone());
    reference_services(&mut tasks, &pool, log, &options);
    tokio::select! {
        () = stop.cancelled() => {}
        ended = server.failed() => return Err(ended.into()),
    }
    server.stop().await?;
    Ok(tasks.stop().await?)
}

/// Runs the loops of the services: they deliver what is queued, and take requests from the log, if
/// there is one. Their queues and checkpoints are in Postgres, so they are started again.
pub(crate) fn reference_services(tasks: &mut Supervisor, pool: &PgPool, log: Option<EventStore>, options: &Options) {
    if let Some(log) = log.clone() {
        let (pool, options, stop) = (pool.clone(), options.clone(), tasks.stop_token());
        tasks.keep_running("the readers of requests by events", move || {
            participants::run_requests(pool.clone(), log.clone(), options.clone(), stop.clone())
        });
    }
    let (pool, options, stop) = (pool.clone(), options.clone(), tasks.stop_token());
    tasks.keep_running("the deliveries of the reference services", move || {
        participants::run_deliveries(pool.clone(), options.clone(), log.clone(), stop.clone().cancelled_owned())
    });
}
