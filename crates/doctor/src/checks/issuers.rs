//! The access file, and the issuers that it names: each gives its keys.

use crate::finding::Finding;
use crate::role::Role;

pub async fn check(role: &Role) -> Vec<Finding> {
    if !role.authentication.is_given() {
        return Vec::new();
    }
    let authentication = match role.authentication.read() {
        Ok(authentication) => authentication,
        Err(error) => return vec![Finding::fault("access file", error)],
    };
    let mut findings = vec![Finding::ok("access file", "it can be used")];
    for (name, keys) in authentication.keys_of_issuers().await {
        let about = format!("issuer {name}");
        findings.push(match keys {
            Ok(0) => Finding::fault(about, "it gives no keys, so no token is accepted; check the issuer"),
            Ok(keys) => Finding::ok(about, format!("it gives {keys} keys")),
            Err(error) => Finding::fault(about, error),
        });
    }
    findings
}
