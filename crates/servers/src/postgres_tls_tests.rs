//! Postgres over TLS: a real server, with certificates of the test's own authorities.

use std::net::Ipv4Addr;
use std::path::Path;

use postgres_cluster::testing::{OwnCluster, TlsFiles, loopback_address};
use tls::testing::{Authority, Files};

use crate::postgres::connect;

/// `test` is open to all, and `postgres` to who has a certificate for the user.
const ACCESS: &str = "local all all trust
hostssl test all all trust
hostssl postgres all all trust clientcert=verify-full
";

fn url(address: Ipv4Addr, database: &str, options: &[(&str, &Path)], mode: &str) -> String {
    let files = options.iter().map(|(name, path)| format!("&{name}={}", path.display())).collect::<Vec<_>>().concat();
    format!("postgres://tenuto@{address}/{database}?sslmode={mode}{files}")
}

/// Whether the connection is encrypted.
async fn encrypted(url: &str) -> Result<bool, String> {
    let pool = connect(url).await.map_err(|error| error.to_string())?;
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(sqlx::query_scalar(query).fetch_one(&pool).await.unwrap())
}

#[track_caller]
fn assert_says(refused: Result<bool, String>, parts: &[&str]) {
    let text = refused.expect_err("it connects");
    assert!(parts.iter().all(|part| text.contains(part)) && !text.contains('\n'), "{text}");
}

#[tokio::test]
async fn each_mode_verifies_what_it_promises_and_says_what_is_wrong() {
    let (authority, other, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let (address, unnamed) = (loopback_address(), loopback_address());
    let issued = authority.issue("postgres", &[&address.to_string()]);
    let files =
        TlsFiles { certificate: issued.certificate, key: issued.key, client_ca: authority.certificate().to_owned() };
    let _server = OwnCluster::on_the_network(&[address, unnamed], Some(&files), ACCESS).await.unwrap();
    let known = authority.file(folder.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let unknown = other.file(elsewhere.path());
    let (known, unknown) = ([("sslrootcert", &*known)], [("sslrootcert", &*unknown)]);

    for (mode, root) in
        [("prefer", &[][..]), ("require", &[]), ("require", &known), ("verify-ca", &known), ("verify-full", &known)]
    {
        assert_eq!(encrypted(&url(address, "test", root, mode)).await, Ok(true), "{mode} {root:?}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let refused = encrypted(&url(address, "test", &unknown, mode)).await;
        assert_says(refused, &["authority that is not trusted", "sslrootcert=FILE", &address.to_string()]);
    }
    assert_says(encrypted(&url(address, "test", &[], "verify-full")).await, &["sslrootcert=FILE"]);
    assert_eq!(encrypted(&url(unnamed, "test", &known, "verify-ca")).await, Ok(true));
    assert_says(encrypted(&url(unnamed, "test", &known, "verify-full")).await, &["is for another name"]);
    assert_says(encrypted(&url(address, "test", &[], "disable")).await, &["no encryption", "sslmode=require"]);

    let Files { certificate, key } = authority.issue("tenuto", &[]).files(folder.path(), "tenuto");
    let own = [known[0], ("sslcert", &*certificate), ("sslkey", &*key)];
    assert_eq!(encrypted(&url(address, "postgres", &own, "verify-full")).await, Ok(true));
    assert_says(encrypted(&url(address, "postgres", &known, "verify-full")).await, &["sslcert=FILE", "sslkey=FILE"]);
    let forged = other.issue("tenuto", &[]).files(elsewhere.path(), "tenuto");
    let forged = [known[0], ("sslcert", &*forged.certificate), ("sslkey", &*forged.key)];
    assert_says(encrypted(&url(address, "postgres", &forged, "verify-full")).await, &["sslcert=FILE"]);
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let address = loopback_address();
    let access = "local all all trust\nhost all all all trust\n";
    let _server = OwnCluster::on_the_network(&[address], None, access).await.unwrap();
    for (mode, expected) in [("disable", false), ("prefer", false)] {
        assert_eq!(encrypted(&url(address, "test", &[], mode)).await, Ok(expected), "{mode}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_says(encrypted(&url(address, "test", &[], mode)).await, &["does not offer TLS", "ssl=on"]);
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_before_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let none = folder.path().join("none.pem");
    std::fs::write(&none, "none").unwrap();
    for (option, file, part) in [
        ("sslrootcert", &missing, "cannot be read"),
        ("sslrootcert", &none, "no certificate"),
        ("sslcert", &none, "no certificate"),
        ("sslkey", &none, "no private key"),
    ] {
        let refused = encrypted(&url(Ipv4Addr::LOCALHOST, "test", &[(option, file)], "verify-full")).await;
        assert_says(refused, &[option, &file.display().to_string(), part, "TENUTO_POSTGRES"]);
    }
}
