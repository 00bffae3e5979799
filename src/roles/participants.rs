//! `tenuto participants`: the reference services.

use clap::Args;
use event_store::client::EventStore;
use leader_consumer::LogAlarm;
use participants::{MailServer, Options};

use super::RoleResult;
use crate::health::Footing;
use crate::metrics::Sources;
use crate::{backends, health, metrics, signals};
use command_line::output;
use http_server::Listen;
use http_server::door::{Door, STARTING};
use servers::ServerUrls;

/// Options of `tenuto participants`.
#[derive(Debug, Args)]
pub(crate) struct ParticipantsArgs {
    #[command(flatten)]
    servers: ServerUrls,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    mail: Mail,
    /// Also read requests from the log, and reply there
    #[arg(long, env = "TENUTO_BY_EVENTS")]
    by_events: bool,
    /// Read requests from the beginning of the log, where those read so far came from another log; what was handled before has no
    /// second effect
    #[arg(long, requires = "by_events")]
    read_again: bool,
}

/// Where mail goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Mail {
    /// A mail server, as `smtp://HOST:PORT`; without one, mail is kept in a mailbox that can be read
    #[arg(long, env = "TENUTO_SMTP", value_name = "URL", hide_env_values = true)]
    smtp: Option<String>,
    /// The sender of all mail
    #[arg(long, env = "TENUTO_MAIL_FROM", default_value = "orders@localhost", value_name = "ADDRESS")]
    mail_from: String,
}

impl Mail {
    /// The options of the services.
    pub fn options(&self) -> Result<Options, Box<dyn std::error::Error>> {
        let mail_server = self.smtp.as_deref().map(|url| MailServer::new(url, &self.mail_from)).transpose()?;
        Ok(Options { mail_server, ..Options::default() })
    }
}

pub(crate) async fn run(args: ParticipantsArgs) -> RoleResult {
    let stop = signals::stop_token()?;
    let postgres = args.servers.named_postgres()?;
    let alarm = LogAlarm::default();
    let options = Options { alarm: alarm.clone(), ..args.mail.options()? };
    let log = if args.by_events { Some(EventStore::connect(args.servers.named_event_store()?)?) } else { None };
    let listener = http_server::bind(args.listen.listen).await?;
    let address = listener.local_addr()?;
    let door = Door::new(STARTING);
    let server = tokio::spawn(http_server::serve(listener, door.router(), stop.clone()));
    door.waits_for("Postgres");
    let start = async {
        let pool = servers::connect(postgres).await?;
        if let Some(log) = &log {
            servers::may_append(log, &backends::PARTICIPANT_STREAMS).await?;
        }
        participants::migrate(&pool).await?;
        if args.read_again {
            participants::read_requests_again(&pool).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(pool)
    };
    let pool = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(server.await??),
        started = start => started?,
    };
    let footing = Footing { pool: Some(pool.clone()), alarm: alarm.clone(), ..Footing::default() };
    let router = participants::router(pool.clone(), options.clone())
        .merge(health::router(footing, stop.clone()))
        .merge(metrics::router(Sources { alarm, ..Sources::default() }));
    door.open(router);
    output::announce(&format!("orders, payments, shipping and notifications at http://{address}\n"));
    let requests = {
        let (pool, log, options, stop) = (pool.clone(), log.clone(), options.clone(), stop.clone());
        async move {
            if let Some(log) = log {
                Box::pin(participants::run_requests(pool, log, options, stop)).await;
            }
        }
    };
    let deliveries = participants::run_deliveries(pool, options, log, stop.clone().cancelled_owned());
    let (ended, (), delivered) = tokio::join!(server, requests, deliveries);
    ended??;
    Ok(delivered?)
}
