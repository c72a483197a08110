//! Whom to believe: the TLS configuration of a connection. No I/O except reading the system's roots.
//!
//! There is no way to turn verification off. A pinned thumbprint replaces the checks of chain and name
//! only; that the server owns the certificate's key is still proven by the handshake.

use std::{error::Error as StdError, fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};

use super::{
    error::{Error, clean},
    trust::{Trust, roots_of, thumbprint_text},
};

/// Why a server's certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// Not issued by a trusted authority, or not a usable server certificate; with the library's words.
    Chain(String),
    /// Issued for other names than the one in the address.
    Name,
    /// Expired or not valid yet: one of the two clocks may be wrong.
    Expired,
    /// Another certificate than the pinned one; its SHA-256 thumbprint.
    Thumbprint(String),
    /// The server does not hold the certificate's private key.
    Key,
    /// What was given to trust cannot be used, for example a CA bundle without a certificate.
    Trust(String),
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(why) => write!(f, "not issued by a trusted authority ({why})"),
            Self::Name => f.write_str("issued for another name"),
            Self::Expired => f.write_str("expired or not valid yet"),
            Self::Thumbprint(seen) => write!(f, "the server presents another certificate, SHA-256 {seen}"),
            Self::Key => f.write_str("the server does not hold the certificate's private key"),
            Self::Trust(why) => write!(f, "nothing to check it with ({why})"),
        }
    }
}

/// The TLS configuration for `trust`: TLS 1.2 and 1.3, HTTP/2 preferred.
///
/// # Errors
/// [`Error::Certificate`] when the trust cannot be used.
pub(crate) fn client_config(trust: &Trust) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = |why: String| Error::Certificate(CertificateProblem::Trust(clean(&why)));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(e.to_string()))?;
    let issuers: Arc<dyn ServerCertVerifier> = match trust {
        Trust::CaBundle(pem) => {
            let roots: RootCertStore = roots_of(pem).map_err(|e| unusable(e.to_string()))?;
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|e| unusable(e.to_string()))?
        }
        Trust::System => Arc::new(
            rustls_platform_verifier::Verifier::new(provider)
                .map_err(|e| unusable(format!("system roots: {e}")))?,
        ),
        Trust::Thumbprint(pinned) => Arc::new(Pinned { thumbprint: *pinned, provider }),
    };
    let verifier = Arc::new(Told(issuers));
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Resumed sessions skip the certificate: every new connection shall prove itself anew.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Decides as the inner verifier does; only tells two failures apart that have the same name: a signature
/// that does not fit within the chain, and one that does not fit in the handshake.
#[derive(Debug)]
struct Told(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for Told {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                CertificateError::UnknownIssuer.into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Accepts exactly one certificate.
#[derive(Debug)]
struct Pinned {
    thumbprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

/// Carried inside the TLS library's error, so that the cause is recognised by type.
#[derive(Debug)]
struct OtherThumbprint([u8; 32]);

impl fmt::Display for OtherThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&thumbprint_text(&self.0))
    }
}

impl StdError for OtherThumbprint {}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen: [u8; 32] = Sha256::digest(end_entity.as_ref()).into();
        if seen == self.thumbprint {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(OtherThumbprint(seen)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The certificate problem inside an error of the HTTP client, when that is what it is.
///
/// The TLS error sits a few sources deep, and inside an `io::Error`, whose `source` skips its own content.
pub(crate) fn certificate_problem(error: &(dyn StdError + 'static)) -> Option<CertificateProblem> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = current.downcast_ref::<rustls::Error>() {
            return Some(problem_of(why));
        }
        next = match current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

fn problem_of(why: &CertificateError) -> CertificateProblem {
    match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => CertificateProblem::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::Name
        }
        CertificateError::BadSignature => CertificateProblem::Key,
        CertificateError::Other(OtherError(inner)) => match inner.downcast_ref::<OtherThumbprint>() {
            Some(seen) => CertificateProblem::Thumbprint(seen.to_string()),
            None => CertificateProblem::Chain(clean(&inner.to_string())),
        },
        other => CertificateProblem::Chain(clean(&other.to_string())),
    }
}
