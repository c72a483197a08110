//! Certificate authorities and server certificates for tests. No I/O.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};
use sha2::{Digest as _, Sha256};

/// Signs server certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A server certificate with its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    /// A new one with this common name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The authority's certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server on the loopback interface.
    pub fn issue(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue_with(&params)
    }

    /// A certificate with other names or dates.
    pub fn issue_with(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }
}

impl Identity {
    /// The certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The private key, PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// SHA-256 of the certificate as operators read it: `AB:CD:...`.
    pub fn thumbprint(&self) -> String {
        let digest = Sha256::digest(&self.certificate);
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// A server that presents this certificate, with the given application protocols in order.
    pub fn server_config(&self, alpn: &[&str]) -> ServerConfig {
        self.server_config_with_key(&self.key, alpn)
    }

    /// A server that presents this certificate but holds another key.
    pub fn server_config_with_other_key(&self, alpn: &[&str]) -> ServerConfig {
        self.server_config_with_key(&KeyPair::generate().unwrap(), alpn)
    }

    fn server_config_with_key(&self, key: &KeyPair, alpn: &[&str]) -> ServerConfig {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let signing = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        // Unlike the library's own way, this does not check that certificate and key belong together.
        let certified = CertifiedKey::new(vec![self.certificate.clone()], signing);
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}
