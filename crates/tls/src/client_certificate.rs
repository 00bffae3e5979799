//! The names in a client's certificate.

use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::der::{items, tag};

/// The object identifier of a common name: 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// A client's certificate, which an authority of the listener has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The common names of its subject, and then its DNS names and URIs.
    pub names: Vec<String>,
}

impl ClientCertificate {
    /// Of a verified certificate. One that cannot be read has no names.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(read) = EndEntityCert::try_from(certificate) else { return Self { names: Vec::new() } };
        let of_subject = common_names(read.subject());
        let others = read.valid_dns_names().chain(read.valid_uri_names());
        Self { names: of_subject.into_iter().chain(others).map(str::to_owned).collect() }
    }
}

/// The common names of a subject: a sequence of sets of attributes (RFC 5280, section 4.1.2.4).
fn common_names(subject: &[u8]) -> Vec<&str> {
    let sets = items(subject).filter(|(tag, _)| *tag == tag::SET);
    let attributes = sets.flat_map(|(_, set)| items(set)).filter(|(tag, _)| *tag == tag::SEQUENCE);
    attributes.filter_map(|(_, attribute)| common_name(attribute)).collect()
}

fn common_name(attribute: &[u8]) -> Option<&str> {
    let mut parts = items(attribute);
    let is_common_name = parts.next()? == (tag::OBJECT_IDENTIFIER, &COMMON_NAME[..]);
    let (tag, value) = parts.next().filter(|_| is_common_name)?;
    let is_text = [tag::UTF8_STRING, tag::PRINTABLE_STRING, tag::IA5_STRING].contains(&tag);
    std::str::from_utf8(value).ok().filter(|_| is_text)
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::testing::Authority;

    fn names(common_name: &str, others: &[&str]) -> Vec<String> {
        let issued = Authority::new().issue(common_name, others);
        ClientCertificate::of(&CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()).names
    }

    #[test]
    fn the_names_are_those_of_the_subject_and_the_alternative_ones() {
        let long = "n".repeat(300);
        for common_name in ["shop", "Größe & Söhne", &long] {
            let others = ["shop.example", "*.shop.example", "spiffe://shop.example/front"];
            assert_eq!(names(common_name, &others), [&[common_name][..], &others].concat());
        }
        assert_eq!(names("shop", &["127.0.0.1"]), ["shop"], "an address names no one");
    }

    #[test]
    fn a_subject_that_is_cut_off_or_is_none_has_no_names() {
        let name = b"\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04shop";
        assert_eq!(common_names(name), ["shop"]);
        for length in 0..name.len() {
            assert_eq!(common_names(&name[..length]), [""; 0], "{length}");
        }
        for first in 0..=255 {
            for second in 0..=255 {
                assert!(common_names(&[first, second, 0x82, 0xff, 0xff]).is_empty());
            }
        }
        assert_eq!(ClientCertificate::of(&CertificateDer::from(&b"none"[..])).names, [""; 0]);
    }
}
