//! Which certificates the client accepts for a server: those that OpenSSL accepts, also where webpki does not.

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::certificate::{self, Signature};

/// Checks issuer, time and name.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) roots: RootCertStore,
    /// Certificates that are trusted themselves: all that were given. A self-signed certificate usually says that it is an
    /// authority's, or is of version 1, and webpki accepts no such certificate for a server.
    pub(super) servers: Vec<CertificateDer<'static>>,
    pub(super) verifies_name: bool,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Whether one of the given authorities has signed a certificate that webpki refuses for its form alone. The system's
    /// authorities sign none.
    fn has_issued(&self, certificate: &[u8], is_read: bool) -> bool {
        let is_by = |anchor: &TrustAnchor<'_>, signature: &Signature<'_>| {
            certificate::parts_of_bare_key(&anchor.subject_public_key_info).is_some_and(|(kind, key)| {
                self.algorithms.all.iter().any(|algorithm| {
                    algorithm.public_key_alg_id().as_ref() == kind
                        && algorithm.signature_alg_id().as_ref() == signature.algorithm
                        && algorithm.verify_signature(key, signature.signed, signature.bytes).is_ok()
                })
            })
        };
        let given = if self.servers.is_empty() { &[][..] } else { &self.roots.roots };
        certificate::issue_beyond_webpki(certificate, is_read).is_some_and(|(issuer, signature)| {
            given.iter().any(|anchor| {
                anchor.name_constraints.is_none() && *anchor.subject == *issuer && is_by(anchor, &signature)
            })
        })
    }

    /// As `verify_tls12_signature` does it. TLS 1.2 names a scheme that does not say which curve the key is of.
    fn verify_with_key(
        &self,
        message: &[u8],
        key: &SubjectPublicKeyInfoDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let (kind, key) = certificate::parts_of_key(key).ok_or(CertificateError::BadEncoding)?;
        let of_scheme = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == dss.scheme);
        let mut algorithms = of_scheme.flat_map(|(_, algorithms)| *algorithms);
        let is_valid = algorithms.any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == kind
                && algorithm.verify_signature(key, message, dss.signature()).is_ok()
        });
        if is_valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let parsed = ParsedCertificate::try_from(end_entity);
        if self.servers.contains(end_entity) || self.has_issued(end_entity, parsed.is_ok()) {
            certificate::is_valid_at(end_entity, now).ok_or(CertificateError::BadEncoding)??;
        } else {
            let (roots, algorithms) = (&self.roots, self.algorithms.all);
            verify_server_cert_signed_by_trust_anchor(
                parsed.as_ref().map_err(Clone::clone)?,
                roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        if self.verifies_name && !certificate::has_common_name(end_entity, server_name) {
            // Version 1 has no other names.
            let error = CertificateError::NotValidForName.into();
            parsed.map_or(Err(error), |parsed| verify_server_name(&parsed, server_name))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        if let Some(key) = key_beyond_webpki(cert) {
            return self.verify_with_key(message, &key, dss);
        }
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        if let Some(key) = key_beyond_webpki(cert) {
            return verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms);
        }
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The key of a certificate that webpki cannot read.
fn key_beyond_webpki<'a>(cert: &'a CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'a>> {
    if ParsedCertificate::try_from(cert).is_err() { certificate::public_key(cert) } else { None }
}

/// Checks nothing. An attacker in between can show a certificate of their own, so checking the handshake's signature
/// would only refuse certificates that webpki cannot read.
#[derive(Debug)]
pub(super) struct AcceptAny;

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ED448,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}
