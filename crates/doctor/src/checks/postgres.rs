//! Postgres: reached, with its version, its settings, its clock, the rights of its user, and the
//! schema of the views.

use chrono::{TimeDelta, Utc};
use secrets::exposed;
use servers::{MAX_CONNECTIONS, NotNamed, connect_once};
use sqlx::PgConnection;
use views::{DatabaseReport, SchemaState, later_version, schema_state, server_report};

use super::clock::clock;
use crate::finding::Finding;
use crate::role::Role;

const ABOUT: &str = "Postgres";
/// The oldest version that its project maintains.
const OLDEST: i32 = 15;

/// A database.
pub struct Server {
    url: Result<String, String>,
    /// How many of the roles use it.
    roles: u32,
}

/// The databases that these roles use, each once.
pub fn servers(roles: &[Role]) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for role in roles {
        let Some(named) = &role.servers else { continue };
        let url = exposed(named.postgres.as_ref()).map(str::to_owned);
        if url.is_none() && role.embeds() {
            continue;
        }
        let url = url.ok_or_else(|| NotNamed::POSTGRES.to_string());
        match servers.iter_mut().find(|server| server.url == url) {
            Some(known) => known.roles += 1,
            None => servers.push(Server { url, roles: 1 }),
        }
    }
    servers
}

impl Server {
    pub async fn check(self) -> Vec<Finding> {
        let url = match self.url {
            Ok(url) => url,
            Err(error) => return vec![Finding::fault(ABOUT, error)],
        };
        let mut db = match connect_once(&url).await {
            Ok(db) => db,
            Err(error) => return vec![Finding::fault(ABOUT, error)],
        };
        let reported = match server_report(&mut db).await {
            Ok(reported) => reported,
            Err(error) => return vec![Finding::fault(ABOUT, format!("it answers a query with an error: {error}"))],
        };
        let difference = reported.now - Utc::now();
        let mut findings = vec![version(&reported)];
        findings.push(of_rights(&reported));
        findings.push(of_schema(&mut db).await);
        findings.extend(of_settings(&reported, self.roles));
        findings.push(clock(ABOUT, TimeDelta::seconds(difference.num_seconds())));
        findings
    }
}

fn version(DatabaseReport { version, version_text, is_encrypted, is_local, .. }: &DatabaseReport) -> Finding {
    let major = version / 10_000;
    if major < OLDEST {
        let told = format!(
            "version {version_text} gets no corrections from the PostgreSQL project any more; upgrade it to {OLDEST} or later"
        );
        return Finding::warning(ABOUT, told);
    }
    match (is_encrypted, is_local) {
        (true, _) => Finding::ok(ABOUT, format!("version {version_text}, with TLS")),
        (false, true) => Finding::ok(ABOUT, format!("version {version_text}, on this machine")),
        (false, false) => Finding::warning(
            ABOUT,
            format!(
                "version {version_text}; the connection to another machine is without TLS: orders can be read on their \
                 way; set ssl=on there, and give sslmode=verify-full"
            ),
        ),
    }
}

/// What the user may do. A role that finds the schema complete still writes views and leases.
fn of_rights(reported: &DatabaseReport) -> Finding {
    const ABOUT: &str = "rights on Postgres";
    let DatabaseReport { user, .. } = reported;
    if reported.is_standby {
        return Finding::fault(ABOUT, "the server is a standby, which takes no writes; name the primary server");
    }
    if reported.is_read_only {
        let told = format!(
            "transactions of the user {user} are read-only; set default_transaction_read_only to off, with ALTER ROLE \
             {user} SET default_transaction_read_only = off"
        );
        return Finding::fault(ABOUT, told);
    }
    if !reported.may_create {
        let told = format!(
            "the user {user} may not create tables; make the user the owner of the database, or GRANT CREATE ON SCHEMA \
             public TO {user}"
        );
        return Finding::fault(ABOUT, told);
    }
    Finding::ok(ABOUT, format!("the user {user} may create and write tables"))
}

async fn of_schema(db: &mut PgConnection) -> Finding {
    const ABOUT: &str = "schema of the views";
    match schema_state(db).await {
        Ok(SchemaState::Current) => Finding::ok(ABOUT, "that of this version"),
        Ok(SchemaState::Older(missing)) => {
            Finding::ok(ABOUT, format!("{missing} migrations are missing; the first role that starts makes them"))
        }
        Ok(SchemaState::Newer(version)) => Finding::fault(ABOUT, later_version(version)),
        Err(error) => Finding::fault(ABOUT, format!("it cannot be read: {error}; grant the user the right to it")),
    }
}

/// Settings that lose data or limit roles.
fn of_settings(reported: &DatabaseReport, roles: u32) -> Vec<Finding> {
    const ABOUT: &str = "settings of Postgres";
    let mut findings = Vec::new();
    for (is_on, name) in [(reported.fsync, "fsync"), (reported.full_page_writes, "full_page_writes")] {
        if !is_on {
            let told = format!(
                "{name} is off: a crash of the server can destroy the database, with the keys of personal data; set it \
                 to on"
            );
            findings.push(Finding::warning(ABOUT, told));
        }
    }
    if reported.synchronous_commit == "off" {
        let told = "synchronous_commit is off: a crash can lose the newest keys of personal data, and their orders could \
                    not be read; set it to on";
        findings.push(Finding::warning(ABOUT, told));
    }
    let (most, needed) = (reported.max_connections, i64::from(MAX_CONNECTIONS) * i64::from(roles));
    if i64::from(most) < needed {
        let told = format!(
            "max_connections is {most}, and {roles} roles take up to {needed} connections; raise it there, or start \
             fewer roles"
        );
        findings.push(Finding::warning(ABOUT, told));
    }
    findings
}
