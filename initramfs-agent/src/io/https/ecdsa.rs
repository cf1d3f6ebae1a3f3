//! ECDSA with P-256 and SHA-256 (RFC 8446, section 4.2.3), to verify only.
//!
//! ring has it too, with a table of 150 kB that does not compress: an eighth of the executable that every node of a farm
//! loads. Only its time would be better, and a node verifies two signatures in a handshake.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// The algorithm for certificates and handshakes.
pub(super) static ECDSA_P256_SHA256: &dyn SignatureVerificationAlgorithm = &EcdsaP256Sha256;

#[derive(Debug)]
struct EcdsaP256Sha256;

impl SignatureVerificationAlgorithm for EcdsaP256Sha256 {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }

    /// The key is a point as RFC 5480 has it, the signature DER (RFC 3279, section 2.2.3).
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::try_from(signature).map_err(|_| InvalidSignature)?;
        let hash = digest(&SHA256, message);
        key.verify_prehash(hash.as_ref(), &signature)
            .map_err(|_| InvalidSignature)
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    };

    use super::ECDSA_P256_SHA256;
    use crate::core::rng::Rng;

    fn new_key(random: &SystemRandom) -> EcdsaKeyPair {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random).unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), random).unwrap()
    }

    /// Whether both accept a signature; they must agree.
    fn accepted(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let ours = ECDSA_P256_SHA256
            .verify_signature(key, message, signature)
            .is_ok();
        let rings = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        assert_eq!(
            ours,
            rings.verify(message, signature).is_ok(),
            "key {key:x?} message {message:x?} signature {signature:x?}"
        );
        ours
    }

    #[test]
    fn accepts_what_ring_signs_and_nothing_that_was_changed() {
        let random = SystemRandom::new();
        let mut rng = Rng::new(1);
        for _ in 0..20 {
            let pair = new_key(&random);
            let key = pair.public_key().as_ref().to_vec();
            let message: Vec<u8> = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect();
            let signature = pair.sign(&random, &message).unwrap().as_ref().to_vec();
            assert!(accepted(&key, &message, &signature));
            assert!(!accepted(&key, &[&message[..], b"x"].concat(), &signature));
            let others = new_key(&random).public_key().as_ref().to_vec();
            assert!(!accepted(&others, &message, &signature));
            // The first byte of a key says how the point is written.
            for at in 1..key.len() {
                let mut key = key.clone();
                key[at] ^= 1 << rng.below(8);
                assert!(!accepted(&key, &message, &signature), "byte {at} of the key");
            }
            for at in 0..signature.len() {
                let mut signature = signature.clone();
                signature[at] ^= 1 << rng.below(8);
                assert!(
                    !accepted(&key, &message, &signature),
                    "byte {at} of the signature"
                );
                assert!(
                    !accepted(&key, &message, &signature[..at]),
                    "{at} bytes of the signature"
                );
            }
            assert!(!accepted(&key[1..], &message, &signature));
            assert!(!accepted(&key, &message, &[&signature[..], &[0]].concat()));
        }
    }

    #[test]
    fn refuses_scalars_and_points_out_of_range() {
        let random = SystemRandom::new();
        let key = new_key(&random).public_key().as_ref().to_vec();
        let der = |r: &[u8], s: &[u8]| {
            let integer = |bytes: &[u8]| [&[2, bytes.len() as u8][..], bytes].concat();
            let both = [integer(r), integer(s)].concat();
            [&[0x30, both.len() as u8][..], &both].concat()
        };
        // The order of the curve (SEC 2, section 2.4.2), with the zero that keeps it positive.
        let mut order = vec![0; 33];
        order[1..].copy_from_slice(&[
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
            0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
        ]);
        let mut beyond = order.clone();
        beyond[32] += 1;
        for bad in [&[0][..], &order, &beyond, &[0xff], &[0, 1]] {
            assert!(!accepted(&key, b"", &der(bad, &[1])), "r {bad:x?}");
            assert!(!accepted(&key, b"", &der(&[1], bad)), "s {bad:x?}");
        }
        for bad in [&[][..], &[0], &[4], &[4; 65], &[0xff; 65]] {
            assert!(!accepted(bad, b"", &der(&[1], &[1])), "key {bad:x?}");
        }
    }
}
