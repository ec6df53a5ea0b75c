//! Why a stream broke, and what may be done about it where that is a matter of TLS.

use std::io;

use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error as TlsError};

pub(super) const SPEAKS_NO_TLS: &str = "the server does not speak TLS on this port; pass use_tls=False";

pub(super) fn explained(error: &io::Error) -> String {
    let Some(tls) = tls_error(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed the connection in the handshake".into(),
            _ => error.to_string(),
        };
    };
    let advice = match tls {
        TlsError::InvalidCertificate(certificate) => return why_distrusted(certificate),
        TlsError::AlertReceived(alert) => match alert {
            Alert::CertificateRequired | Alert::NoCertificate => {
                "the server wants a certificate; pass client_cert_pem and client_key_pem"
            }
            Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate => {
                "the server does not accept the client's certificate; pass one of its CA as client_cert_pem"
            }
            Alert::CertificateExpired | Alert::CertificateRevoked => {
                "the client's certificate has ended; pass a new one as client_cert_pem"
            }
            Alert::ProtocolVersion => "the server speaks neither TLS 1.2 nor 1.3",
            Alert::UnrecognisedName => "the server does not know the name; set server_name in the TLS configuration",
            Alert::HandshakeFailure => {
                "the server takes none of the offered ciphers, has a key on a curve that is not supported (P-521), or wants a \
                 certificate: pass client_cert_pem and client_key_pem"
            }
            _ => "",
        },
        TlsError::InvalidMessage(_) => SPEAKS_NO_TLS,
        _ => "",
    };
    if advice.is_empty() { error.to_string() } else { format!("{error}: {advice}") }
}

/// What of TLS is behind a stream's error.
pub(crate) fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>())
}

fn why_distrusted(error: &CertificateError) -> String {
    use CertificateError as Why;
    let words = match error {
        Why::UnknownIssuer => {
            "the server's certificate is self-signed or of an unknown authority; pass its CA as root_pem_cacerts"
        }
        Why::NotValidForName => NOT_FOR_NAME,
        Why::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            return NOT_FOR_NAME.replace("name;", &format!("name{names} than {};", expected.to_str()));
        }
        Why::Expired | Why::ExpiredContext { .. } => "the server's certificate has expired; renew it",
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; compare the clocks"
        }
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers; make one with extendedKeyUsage=serverAuth"
        }
        Why::BadSignature => "the server's certificate was changed, or signed by another key than its CA's",
        Why::UnsupportedSignatureAlgorithmContext { .. }
        | Why::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the server's certificate is signed in a way that is not supported, such as with SHA-1 or by a key on the \
             curve P-521; sign it with SHA-256 and a CA's key of RSA, P-256, P-384 or Ed25519"
        }
        Why::Other(other) => match &*other.to_string() {
            "CaUsedAsEndEntity" => {
                "the server's certificate is a CA's, and is not trusted; pass it, or the CA that signed it, as \
                 root_pem_cacerts"
            }
            "UnsupportedCertVersion" => {
                "the server's certificate is of X.509 version 1, and is not trusted; pass it, or the CA that signed it, as \
                 root_pem_cacerts"
            }
            "UnsupportedCriticalExtension" => {
                "the server's certificate has a critical extension that is not known; make one without it"
            }
            reason => return format!("the server's certificate cannot be used ({reason}); make a new one"),
        },
        Why::BadEncoding => "the server's certificate is broken: it cannot be read as X.509; make a new one",
        other => return format!("the server's certificate cannot be used ({other}); make a new one"),
    };
    words.to_owned()
}

const NOT_FOR_NAME: &str = "the server's certificate is for another name; set server_name in the TLS configuration, or pass \
                            verify_hostname=False";

/// A name of a certificate as people write it, of `DnsName("name")` or `IpAddress(127.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}
