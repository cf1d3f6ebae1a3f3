//! The server's certificate on a machine that may not know the time.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::core::limits::CLOCK_FLOOR_S;

/// Checks certificates as webpki does (chain to the site's CA, IP address among the alternative names), but
/// a clock that stands before the agent was built is known to be wrong (no battery, no RTC): then the time
/// is taken to be the build's, or the start of the certificate's validity where that is later. A clock that
/// may be right is trusted.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    clock: fn() -> UnixTime,
}

impl Verifier {
    pub fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>, clock: fn() -> UnixTime) -> Self {
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .expect("a root store that is not empty");
        Self { webpki, clock }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let check = |now| {
            self.webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let clock = (self.clock)();
        if clock.as_secs() >= CLOCK_FLOOR_S {
            return check(clock);
        }
        let mut now = UnixTime::since_unix_epoch(Duration::from_secs(CLOCK_FLOOR_S));
        // Once for the certificate and once for each that may stand between it and the CA.
        for _ in 0..3 {
            match check(now) {
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before, ..
                })) => {
                    now = not_before;
                }
                other => return other,
            }
        }
        check(now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
