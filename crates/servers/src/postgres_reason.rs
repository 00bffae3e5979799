//! Why there is no connection to Postgres, in one line with the remedy.

use std::io::ErrorKind;

use sqlx::Error;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;

use crate::postgres_tls::of_tls;

/// Why there is no connection with these options.
pub(crate) fn reason(error: &Error, options: &PgConnectOptions) -> String {
    match error {
        Error::Database(refusal) => of_a_refusal(&**refusal),
        Error::Tls(_) if error.to_string().contains("does not support TLS") => {
            "it does not offer TLS; set ssl=on there, or give sslmode=disable in a network that you trust".to_owned()
        }
        error => of_tls(error).or_else(|| of_the_network(error, options)).unwrap_or_else(|| error.to_string()),
    }
}

fn of_the_network(error: &Error, options: &PgConnectOptions) -> Option<String> {
    let Error::Io(fault) = error else { return None };
    // The system's resolver has no kind of error.
    if fault.to_string().contains("lookup address") {
        let host = options.get_host();
        return Some(format!("the host {host} is not found ({fault}); correct the URL, or the name service"));
    }
    match fault.kind() {
        ErrorKind::ConnectionRefused => Some(
            "it refuses the connection: nothing listens there; start the server, or correct host and port".to_owned(),
        ),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            Some("it ends the connection without an answer; check that it is a Postgres, and read its log".to_owned())
        }
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            Some(format!("no network leads there ({fault}); correct host and port, or the routes of this machine"))
        }
        _ => None,
    }
}

/// The answer of the server, and what to do about it.
fn of_a_refusal(refusal: &dyn DatabaseError) -> String {
    let text = refusal.message();
    let remedy = match (refusal.code().as_deref(), text) {
        (_, text) if text.contains("valid client certificate") => {
            "name a certificate with sslcert=FILE and its key with sslkey=FILE, of a user that may connect"
        }
        (_, text) if text.contains("no encryption") => "give sslmode=require, or allow connections without TLS there",
        (_, text) if text.contains("pg_hba.conf") => "add a line for this host, user and database to pg_hba.conf there",
        (Some("28P01"), _) => "correct USER:PASSWORD in the URL",
        (Some("28000"), _) => "create the user there with CREATE ROLE … LOGIN, or correct the user in the URL",
        (Some("3D000"), _) => "create it with CREATE DATABASE, or correct the name after the port in the URL",
        (Some("42501"), _) => "grant this user the right there: GRANT CONNECT ON DATABASE …",
        (Some("53300"), _) => "raise max_connections there, or stop clients that are not needed",
        (Some("57P03"), _) => "wait until it has started, and try again",
        _ => return text.to_owned(),
    };
    format!("{text}; {remedy}")
}
