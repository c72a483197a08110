//! Certificate authorities and server certificates of our own. No I/O.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};
use sha2::{Digest as _, Sha256};

/// Signs server certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A server certificate with its key, PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate alone, without the authority's.
    pub certificate: String,
    /// The private key.
    pub key: String,
    /// SHA-256 of the certificate as operators read it: `AB:CD:...`.
    pub thumbprint: String,
}

impl Authority {
    /// A new one with this common name.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// The authority's certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server on the loopback interface; `name` is only shown.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn issue(&self, name: &str) -> anyhow::Result<Identity> {
        self.issue_for(&["127.0.0.1", "localhost"], |params| {
            params.distinguished_name.push(DnType::CommonName, name);
        })
    }

    /// A server certificate for other names, changed before it is signed, for example in its dates.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn issue_for(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> anyhow::Result<Identity> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let digest = Sha256::digest(certificate.der());
        let thumbprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem(), thumbprint })
    }
}

impl Identity {
    /// A server that presents this certificate and speaks these application protocols, best first.
    ///
    /// # Errors
    /// When certificate or key cannot be used.
    pub fn server_config(&self, protocols: &[&str]) -> anyhow::Result<ServerConfig> {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        let signing = aws_lc_rs::sign::any_supported_type(&key)?;
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        // Unlike the library's own way, this does not check that certificate and key belong together.
        let certified = CertifiedKey::new(vec![certificate], signing);
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(config)
    }

    /// The same certificate in the hands of someone who does not have its key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn with_other_key(&self) -> anyhow::Result<Self> {
        Ok(Self { key: KeyPair::generate()?.serialize_pem(), ..self.clone() })
    }
}

/// A private and a public key, PEM, for signing tokens.
///
/// # Errors
/// When no key can be made.
pub fn signing_keys() -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate()?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// A secret that nobody can guess, from the same source as the keys.
///
/// # Errors
/// When no key can be made.
pub fn random_token() -> anyhow::Result<String> {
    let digest = Sha256::digest(KeyPair::generate()?.serialize_der());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())
}
