//! Why a stream broke, and what may be done about it where that is a matter of TLS.

use std::io;

use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error as TlsError};

pub(super) const SPEAKS_NO_TLS: &str = "the server does not speak TLS on this port; pass use_tls=False";

/// The words for it.
pub(super) fn explained(error: &io::Error) -> String {
    let Some(tls) = tls_error(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed the connection in the handshake".into(),
            _ => error.to_string(),
        };
    };
    let advice = match tls {
        TlsError::InvalidCertificate(certificate) => why_distrusted(certificate),
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

fn why_distrusted(error: &CertificateError) -> &'static str {
    use CertificateError as Why;
    match error {
        Why::UnknownIssuer => {
            "the server's certificate is self-signed or of an unknown authority; pass its CA as root_pem_cacerts"
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "the server's certificate is for another name; set server_name in the TLS configuration, or pass \
             verify_hostname=False"
        }
        Why::Expired | Why::ExpiredContext { .. } => "the server's certificate has expired; renew it",
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; compare the clocks"
        }
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers; make one with extendedKeyUsage=serverAuth"
        }
        Why::BadSignature => "the server's certificate was changed, or signed by another key than its CA's",
        Why::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server's certificate is a CA's, and is not trusted; pass it, or its CA, as root_pem_cacerts"
        }
        Why::BadEncoding | Why::Other(_) => {
            "the server's certificate is of an old or broken form, such as X.509 version 1; make a new one, of version 3"
        }
        _ => "",
    }
}
