//! Messages to bytes.

use super::extension::ExtensionHandshake;
use super::metadata::{MetadataMessage, metadata_part};
use super::pex::Pex;
use super::{Block, OUR_UT_METADATA, OUR_UT_PEX, Outgoing};

/// Bytes of a `piece` message before its payload.
pub const PIECE_HEADER_BYTES: usize = 13;

/// The ids under which a peer wants extension messages; it gets none of those that it has not named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// BEP 11.
    pub ut_pex: Option<u8>,
    /// BEP 9.
    pub ut_metadata: Option<u8>,
}

/// Appends a message to `out`. `ours` is our extension handshake, except for the fields of the message.
pub fn encode(message: &Outgoing, ours: &ExtensionHandshake, ids: ExtensionIds, out: &mut Vec<u8>) {
    match message {
        Outgoing::KeepAlive => out.extend_from_slice(&[0; 4]),
        Outgoing::Unchoke => plain(out, 1, &[]),
        Outgoing::Interested => plain(out, 2, &[]),
        Outgoing::NotInterested => plain(out, 3, &[]),
        Outgoing::Have(piece) => plain(out, 4, &piece.to_be_bytes()),
        Outgoing::Bitfield(bits) => plain(out, 5, bits),
        Outgoing::Request(block) => plain(out, 6, &triple(block)),
        Outgoing::Cancel(block) => plain(out, 8, &triple(block)),
        Outgoing::Suggest(piece) => plain(out, 13, &piece.to_be_bytes()),
        Outgoing::HaveAll => plain(out, 14, &[]),
        Outgoing::HaveNone => plain(out, 15, &[]),
        Outgoing::Reject(block) => plain(out, 16, &triple(block)),
        Outgoing::ExtendedHandshake {
            metadata_size,
            elsewhere,
        } => {
            let (metadata_size, elsewhere) = (*metadata_size, *elsewhere);
            extended(
                out,
                0,
                &ExtensionHandshake {
                    metadata_size,
                    elsewhere,
                    ..*ours
                }
                .encode(),
            );
        }
        Outgoing::MetadataRequest(part) => metadata(out, ids, &MetadataMessage::Request { part: *part }),
        Outgoing::MetadataReject(part) => metadata(out, ids, &MetadataMessage::Reject { part: *part }),
        Outgoing::MetadataPart { part, info } => {
            let (part, total) = (*part, info.len() as u64);
            let bytes = metadata_part(info, part);
            metadata(out, ids, &MetadataMessage::Data { part, total, bytes });
        }
        Outgoing::Pex { added, dropped } => {
            if let Some(id) = ids.ut_pex {
                extended(out, id, &Pex::encode(added, dropped));
            }
        }
    }
}

/// The 13 bytes before the payload of a block.
pub fn piece_header(block: &Block) -> [u8; PIECE_HEADER_BYTES] {
    let mut out = [0; PIECE_HEADER_BYTES];
    out[..4].copy_from_slice(&(block.len + 9).to_be_bytes());
    out[4] = 7;
    out[5..9].copy_from_slice(&block.piece.to_be_bytes());
    out[9..].copy_from_slice(&block.begin.to_be_bytes());
    out
}

/// Appends an extension message (BEP 10).
pub fn extended(out: &mut Vec<u8>, id: u8, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32 + 2).to_be_bytes());
    out.extend_from_slice(&[20, id]);
    out.extend_from_slice(payload);
}

fn metadata(out: &mut Vec<u8>, ids: ExtensionIds, message: &MetadataMessage<'_>) {
    if let Some(id) = ids.ut_metadata {
        extended(out, id, &message.encode());
    }
}

fn plain(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32 + 1).to_be_bytes());
    out.push(id);
    out.extend_from_slice(body);
}

fn triple(block: &Block) -> [u8; 12] {
    let mut out = [0; 12];
    out[..4].copy_from_slice(&block.piece.to_be_bytes());
    out[4..8].copy_from_slice(&block.begin.to_be_bytes());
    out[8..].copy_from_slice(&block.len.to_be_bytes());
    out
}

const _: () = assert!(
    OUR_UT_PEX != 0 && OUR_UT_METADATA != 0,
    "0 is the extension handshake (BEP 10)"
);
