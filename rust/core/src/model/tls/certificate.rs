//! The parts of an X.509 certificate that webpki does not read, or not of each version: its validity, its common name, its
//! public key, and its issuer's signature.

use std::time::Duration;

use tokio_rustls::rustls::CertificateError;
use tokio_rustls::rustls::pki_types::{ServerName, SubjectPublicKeyInfoDer, UnixTime};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const DNS_NAME: u8 = 0x82;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// In basic constraints: that the certificate is an authority's.
const TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// One value of DER, and what follows it.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256).map(|length| length + usize::from(*digit))
            })?;
            (length, rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

struct Parts<'a> {
    is_of_version_1: bool,
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    /// With its tag and length.
    public_key: &'a [u8],
    extensions: Option<&'a [u8]>,
    signature: Signature<'a>,
}

/// What an issuer has signed, with which algorithm, and the signature.
pub(super) struct Signature<'a> {
    pub(super) signed: &'a [u8],
    pub(super) algorithm: &'a [u8],
    pub(super) bytes: &'a [u8],
}

/// RFC 5280, 4.1.
fn parts(certificate: &[u8]) -> Option<Parts<'_>> {
    let mut whole = Der(Der(certificate).expect(SEQUENCE)?);
    let before = whole.0;
    let mut fields = Der(whole.expect(SEQUENCE)?);
    let signed = &before[..before.len() - whole.0.len()];
    let (algorithm, bytes) = (whole.expect(SEQUENCE)?, bits(whole.expect(BIT_STRING)?)?);
    let has_version = fields.0.first() == Some(&VERSION);
    if has_version {
        fields.next()?;
    }
    let (_serial, same_algorithm) = (fields.next()?, fields.expect(SEQUENCE)?);
    let (issuer, validity, subject) = (fields.expect(SEQUENCE)?, fields.expect(SEQUENCE)?, fields.expect(SEQUENCE)?);
    let before = fields.0;
    fields.expect(SEQUENCE)?;
    let public_key = &before[..before.len() - fields.0.len()];
    let is_of_version_1 = !has_version && fields.0.is_empty();
    let extensions =
        std::iter::from_fn(|| fields.next()).find(|(tag, _)| *tag == EXTENSIONS).map(|(_, content)| content);
    let signature = Signature { signed, algorithm, bytes };
    let parts = Parts { is_of_version_1, issuer, validity, subject, public_key, extensions, signature };
    (algorithm == same_algorithm).then_some(parts)
}

/// A bit string whose bytes are all used.
fn bits(content: &[u8]) -> Option<&[u8]> {
    content.strip_prefix(&[0])
}

/// Who has issued a certificate, if webpki refuses it for its form alone: it is of version 1, or webpki reads it, but it
/// says that it is an authority's. Nothing else may limit its use.
pub(super) fn issue_beyond_webpki(certificate: &[u8], is_read: bool) -> Option<(&[u8], Signature<'_>)> {
    let parts = parts(certificate)?;
    let is_beyond = parts.is_of_version_1
        || is_read && read_extensions(parts.extensions?).is_some_and(|all| is_unlimited_authority(&all));
    is_beyond.then_some((parts.issuer, parts.signature))
}

fn is_unlimited_authority(extensions: &[(&[u8], &[u8])]) -> bool {
    let says_so = |value| Der(value).expect(SEQUENCE).is_some_and(|content| content.starts_with(TRUE));
    value_of(extensions, BASIC_CONSTRAINTS).is_some_and(says_so)
        && value_of(extensions, KEY_USAGE).is_none()
        && value_of(extensions, EXTENDED_KEY_USAGE).is_none()
}

/// The key that signs its owner's handshakes.
pub(super) fn public_key(certificate: &[u8]) -> Option<SubjectPublicKeyInfoDer<'_>> {
    Some(parts(certificate)?.public_key.into())
}

/// The algorithm of a key, and the key itself.
pub(super) fn parts_of_key<'a>(key: &'a SubjectPublicKeyInfoDer<'_>) -> Option<(&'a [u8], &'a [u8])> {
    parts_of_bare_key(Der(key).expect(SEQUENCE)?)
}

/// The same of a key without its tag and length.
pub(super) fn parts_of_bare_key(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = Der(key);
    Some((parts.expect(SEQUENCE)?, bits(parts.expect(BIT_STRING)?)?))
}

/// Whether it is valid at that time; `None`: it cannot be read.
pub(super) fn is_valid_at(certificate: &[u8], now: UnixTime) -> Option<Result<(), CertificateError>> {
    let mut validity = Der(parts(certificate)?.validity);
    let (from, to) = (time(validity.next()?)?, time(validity.next()?)?);
    Some(if now.as_secs() < from {
        let not_before = UnixTime::since_unix_epoch(Duration::from_secs(from));
        Err(CertificateError::NotValidYetContext { time: now, not_before })
    } else if now.as_secs() > to {
        let not_after = UnixTime::since_unix_epoch(Duration::from_secs(to));
        Err(CertificateError::ExpiredContext { time: now, not_after })
    } else {
        Ok(())
    })
}

/// Whether the certificate's common name is a host's name. The common name counts only without alternative names.
pub(super) fn has_common_name(certificate: &[u8], server_name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(host) = server_name else { return false };
    let Some(parts) = parts(certificate) else { return false };
    let has_names = parts.extensions.is_some_and(|extensions| dns_names(extensions).is_none_or(|count| count > 0));
    !has_names && common_name(parts.subject).is_some_and(|name| is_name_of(name, host.as_ref()))
}

/// How many DNS names stand among the alternative names; `None`: they cannot be read.
fn dns_names(extensions: &[u8]) -> Option<usize> {
    let Some(value) = value_of(&read_extensions(extensions)?, SUBJECT_ALT_NAME) else { return Some(0) };
    let mut names = Der(Der(value).expect(SEQUENCE)?);
    Some(std::iter::from_fn(|| names.next()).filter(|(tag, _)| *tag == DNS_NAME).count())
}

/// The type and value of each extension; `None`: they cannot be read.
fn read_extensions(extensions: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut all = Der(Der(extensions).expect(SEQUENCE)?);
    let mut found = Vec::new();
    while !all.0.is_empty() {
        let mut extension = Der(all.expect(SEQUENCE)?);
        let (kind, mut value) = (extension.expect(OID)?, extension.next()?);
        // Whether it is critical.
        if value.0 == 0x01 {
            value = extension.next()?;
        }
        found.push((kind, value.1));
    }
    Some(found)
}

fn value_of<'a>(extensions: &[(&[u8], &'a [u8])], kind: &[u8]) -> Option<&'a [u8]> {
    extensions.iter().find(|(each, _)| *each == kind).map(|(_, value)| *value)
}

fn common_name(subject: &[u8]) -> Option<&str> {
    let mut sets = Der(subject);
    let mut found = None;
    while let Some((_, set)) = sets.next() {
        let mut attribute = Der(Der(set).expect(SEQUENCE)?);
        if attribute.expect(OID)? == COMMON_NAME {
            found = std::str::from_utf8(attribute.next()?.1).ok();
        }
    }
    found
}

/// Whether a name, or `*.` and the rest of one, is a host's.
fn is_name_of(name: &str, host: &str) -> bool {
    let wildcard = || {
        let (_, rest) = host.split_once('.')?;
        Some(rest.contains('.') && name.strip_prefix("*.")?.eq_ignore_ascii_case(rest))
    };
    name.eq_ignore_ascii_case(host) || wildcard().unwrap_or_default()
}

/// Seconds since 1970 of `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`; what was before that is 0.
fn time((tag, text): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => (text.get(..2)?.parse::<u64>().ok()?, text.get(2..)?),
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let year = if tag == GENERALIZED_TIME { year } else { year + if year < 50 { 2000 } else { 1900 } };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let (month, day, hour, minute, second) = (part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    if rest.len() != 10 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][usize::try_from(month - 1).ok()?];
    let leap_days = (1970..year).filter(|year| is_leap(*year)).count() as u64;
    let leap_day = u64::from(month > 2 && is_leap(year));
    let days = (year - 1970) * 365 + leap_days + before + leap_day + day - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms_are_read() {
        assert_eq!(time((UTC_TIME, b"700101000000Z")), Some(0));
        assert_eq!(time((UTC_TIME, b"240229120000Z")), Some(1_709_208_000));
        assert_eq!(time((GENERALIZED_TIME, b"21000301000000Z")), Some(4_107_542_400));
        assert_eq!(time((GENERALIZED_TIME, b"99991231235959Z")), Some(253_402_300_799));
        assert_eq!(time((UTC_TIME, b"491231235959Z")), Some(2_524_607_999));
        for wrong in [&b"24022912Z"[..], b"241329120000Z", b"2402291200000Z", b"240229120000", b"24\xff"] {
            assert_eq!(time((UTC_TIME, wrong)), None);
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (name, host, is_name) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("db", "db", true),
            ("db", "db2", false),
        ] {
            assert_eq!(is_name_of(name, host), is_name, "{name} {host}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        for garbage in
            [&b""[..], b"\x30", b"\x30\x82\xff", b"\x30\x80", b"\x30\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert!(parts(garbage).is_none());
        }
    }
}
