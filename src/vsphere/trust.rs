//! What a user gives to recognise a vCenter by, parsed and checked before any connection. No I/O.

use std::fmt;

use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{PemObject, SectionKind},
    },
};

/// How the server's certificate is checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Trust {
    /// The operating system's authorities.
    System,
    /// Only these authorities: PEM, one or more certificates. [`check_ca_bundle`] tells whether it is usable.
    CaBundle(String),
    /// Exactly the certificate with this SHA-256 hash, whoever issued it and for whatever name.
    Thumbprint([u8; 32]),
}

/// Why something given as trust cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not 32 bytes in hexadecimal digits.
    #[error(
        "a thumbprint is the SHA-256 hash of the certificate: 64 hexadecimal digits, pairs separated by ':' or not"
    )]
    Thumbprint,
    /// 20 bytes: a SHA-1 thumbprint, which can be forged.
    #[error("this is a SHA-1 thumbprint; give the SHA-256 one")]
    Sha1Thumbprint,
    /// No `BEGIN CERTIFICATE` section.
    #[error("the CA bundle has no certificate")]
    NoCertificate,
    /// A section that is cut or not base64, or a certificate that cannot be read.
    #[error("the CA bundle has an unreadable section, number {0}")]
    Unreadable(usize),
    /// A private key has no business in a CA bundle.
    #[error("the CA bundle has a section that is not a certificate, number {0}")]
    NotACertificate(usize),
    /// More than 1 MiB or 512 certificates.
    #[error("the CA bundle is too large")]
    TooLarge,
}

impl Trust {
    /// Reads a SHA-256 thumbprint, `AA:BB:..` or plain hexadecimal digits in either case.
    ///
    /// # Errors
    /// When it is not 32 bytes; a SHA-1 thumbprint (20 bytes) is named as such.
    pub fn thumbprint(text: &str) -> Result<Self, TrustError> {
        let text = text.trim();
        let bytes = if text.contains(':') {
            text.split(':').map(byte).collect::<Option<Vec<u8>>>()
        } else {
            let digits = text.as_bytes();
            digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok().and_then(byte)).collect()
        };
        let bytes = bytes.ok_or(TrustError::Thumbprint)?;
        if bytes.len() == 20 {
            return Err(TrustError::Sha1Thumbprint);
        }
        bytes.try_into().map(Self::Thumbprint).map_err(|_| TrustError::Thumbprint)
    }

    /// Takes a PEM bundle of authorities, checked.
    ///
    /// # Errors
    /// As [`check_ca_bundle`].
    pub fn ca_bundle(pem: String) -> Result<Self, TrustError> {
        check_ca_bundle(&pem)?;
        Ok(Self::CaBundle(pem))
    }
}

/// Exactly two hexadecimal digits.
fn byte(pair: &str) -> Option<u8> {
    let two = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    two.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}

/// `AA:BB:..`, as vSphere's own tools print it.
pub(crate) fn thumbprint_text(bytes: &[u8; 32]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// Whether a PEM bundle can serve as [`Trust::CaBundle`]; returns the number of certificates.
///
/// # Errors
/// When it has no certificate, an unreadable one, or something else than certificates.
pub fn check_ca_bundle(pem: &str) -> Result<usize, TrustError> {
    roots_of(pem).map(|roots| roots.len())
}

/// Bundles are a few kilobytes; what is much larger is not one.
const BUNDLE_BYTES: usize = 1 << 20;
const BUNDLE_CERTIFICATES: usize = 512;

pub(crate) fn roots_of(pem: &str) -> Result<RootCertStore, TrustError> {
    if pem.len() > BUNDLE_BYTES {
        return Err(TrustError::TooLarge);
    }
    let mut roots = RootCertStore::empty();
    for (index, section) in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()).enumerate() {
        let number = index.saturating_add(1);
        let (kind, der) = section.map_err(|_| TrustError::Unreadable(number))?;
        if kind != SectionKind::Certificate {
            return Err(TrustError::NotACertificate(number));
        }
        if index >= BUNDLE_CERTIFICATES {
            return Err(TrustError::TooLarge);
        }
        roots.add(CertificateDer::from(der)).map_err(|_| TrustError::Unreadable(number))?;
    }
    if roots.is_empty() { Err(TrustError::NoCertificate) } else { Ok(roots) }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::CaBundle(pem) => write!(f, "CaBundle({} bytes)", pem.len()),
            Self::Thumbprint(bytes) => write!(f, "Thumbprint({})", thumbprint_text(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_read_in_both_notations() {
        let plain = "00ff".repeat(16);
        let Trust::Thumbprint(bytes) = Trust::thumbprint(&plain).unwrap() else { panic!() };
        assert_eq!(bytes[..4], [0, 255, 0, 255]);
        let colons = thumbprint_text(&bytes);
        assert!(colons.starts_with("00:FF:00:"));
        assert_eq!(Trust::thumbprint(&colons).unwrap(), Trust::Thumbprint(bytes));
        assert_eq!(
            Trust::thumbprint(&format!(" {}\n", colons.to_lowercase())).unwrap(),
            Trust::Thumbprint(bytes)
        );
    }

    #[test]
    fn what_is_not_a_sha256_thumbprint_is_refused() {
        for text in ["", ":", "zz", &"0".repeat(63), &"0".repeat(66), &"+0".repeat(32), &"é".repeat(32)] {
            assert_eq!(Trust::thumbprint(text), Err(TrustError::Thumbprint), "{text}");
        }
        assert_eq!(Trust::thumbprint(&"0:0".repeat(32)), Err(TrustError::Thumbprint));
        assert_eq!(Trust::thumbprint(&"ab".repeat(20)), Err(TrustError::Sha1Thumbprint));
    }

    #[test]
    fn a_bundle_is_checked_before_any_connection() {
        let made = rcgen::generate_simple_self_signed(["a.example".into()]).unwrap();
        let pem = made.cert.pem();
        assert_eq!(check_ca_bundle(&pem), Ok(1));
        assert_eq!(check_ca_bundle(&format!("# comment\n{pem}\n{pem}")), Ok(2));
        assert_eq!(check_ca_bundle(""), Err(TrustError::NoCertificate));
        assert_eq!(check_ca_bundle("hello"), Err(TrustError::NoCertificate));
        let key = made.signing_key.serialize_pem();
        assert_eq!(check_ca_bundle(&format!("{pem}{key}")), Err(TrustError::NotACertificate(2)));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(check_ca_bundle(garbage), Err(TrustError::Unreadable(1)));
        assert!(check_ca_bundle(pem.get(..pem.len() - 30).unwrap()).is_err());
    }
}
