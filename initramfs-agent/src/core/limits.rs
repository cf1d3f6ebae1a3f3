//! Every bound of the agent in one place, units last in the names.

/// Largest manifest body, bytes.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// Largest BitTorrent message body that is not a block, bytes (a bitfield of 2^23 pieces).
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Largest block accepted in a `piece` message or asked for in a `request`, bytes.
pub const BLOCK_BYTES_MAX: u32 = 128 << 10;
/// The block size we ask for, bytes (BEP 3).
pub const BLOCK_BYTES: u32 = 16 << 10;
/// Requests of one peer that wait for us to serve them; more are rejected.
pub const REQUESTS_QUEUED_MAX: usize = 512;
/// Largest tracker answer, bytes.
pub const TRACKER_ANSWER_BYTES_MAX: usize = 256 << 10;
/// Depth of nested bencode that is parsed.
pub const BENCODE_DEPTH_MAX: usize = 16;
/// Values in one bencoded text (a tracker answer in the dictionary model has 5 for each peer).
pub const BENCODE_ITEMS_MAX: usize = 16 << 10;
/// Open BitTorrent connections, all torrents together.
pub const CONNECTIONS_MAX: usize = 512;
/// Piece lengths of a manifest, bytes.
pub const PIECE_LENGTH_MIN: u32 = 16 << 10;
/// See [`PIECE_LENGTH_MIN`].
pub const PIECE_LENGTH_MAX: u32 = 4 << 20;
/// Size of an artifact, bytes.
pub const ARTIFACT_SIZE_BYTES_MAX: u64 = 1 << 40;
/// Name of an artifact, bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Largest metainfo file and info dictionary, bytes: 2^40 bytes in pieces of 4 MiB have 5.2 MB of hashes.
pub const TORRENT_BYTES_MAX: usize = 6 << 20;
/// Part of an info dictionary in one message, bytes (BEP 9).
pub const METADATA_PART_BYTES: usize = 16 << 10;
/// Trackers, or web seeds, that are taken from a metainfo file; more are left out.
pub const TORRENT_URLS_MAX: usize = 16;
/// Longest URL, bytes.
pub const URL_BYTES_MAX: usize = 2048;
/// A wall clock before this is wrong: no release of the agent is older (2026-11-22), seconds since 1970.
pub const CLOCK_FLOOR_S: u64 = 1_795_305_600;
/// Largest head of an HTTP answer, bytes.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 << 10;
/// Peers taken from one answer of a tracker or a DHT node; more are left out.
pub const PEERS_PER_ANSWER_MAX: usize = 1000;
/// Trackers of one torrent that are asked; more are left out.
pub const TRACKERS_MAX: usize = 8;
/// Largest LSD packet, bytes (BEP 14 wants 1,400).
pub const LSD_PACKET_BYTES_MAX: usize = 2048;
/// Torrents in one LSD packet.
pub const LSD_INFOHASHES_MAX: usize = 20;
/// Artifacts of a manifest.
pub const MANIFEST_ARTIFACTS_MAX: usize = 256;
/// Pieces of an artifact whose hashes stand in the manifest; those of larger ones come from peers (BEP 9).
pub const MANIFEST_INLINE_PIECES_MAX: u64 = 16;
/// Entries of each list of addresses or URLs in a manifest.
pub const MANIFEST_ADDRESSES_MAX: usize = 8;
/// Host name of a node, bytes.
pub const HOSTNAME_BYTES_MAX: usize = 63;
/// Names of racks and sites, bytes.
pub const LABEL_BYTES_MAX: usize = 64;
/// Settings of a node.
pub const SETTINGS_MAX: usize = 256;
/// Name of a setting, bytes.
pub const SETTING_NAME_BYTES_MAX: usize = 64;
/// Value of a setting, bytes.
pub const SETTING_VALUE_BYTES_MAX: usize = 4096;
/// Largest DHT packet that is read, bytes; stock nodes send all the peers they know in one.
pub const KRPC_PACKET_BYTES_MAX: usize = 16 << 10;
/// Longest transaction id or token of a DHT node that is kept, bytes.
pub const KRPC_TOKEN_BYTES_MAX: usize = 64;
/// Torrents whose peers the DHT node keeps for others.
pub const DHT_TORRENTS_MAX: usize = 256;
/// Peers of one torrent that the DHT node keeps.
pub const DHT_PEERS_MAX: usize = 512;
/// Peers in one answer of the DHT node: with 8 contacts it fits an Ethernet frame.
pub const DHT_VALUES_MAX: usize = 100;
/// Queries of the DHT node that wait for their answers.
pub const DHT_TRANSACTIONS_MAX: usize = 128;
/// Lookups of the DHT node at a time; the rest wait.
pub const DHT_LOOKUPS_MAX: usize = 4;
/// From a report of a node that seeds to the next where the server has not said when, seconds.
pub const SEED_REPORT_S: u64 = 1800;
/// The longest that the server may say, seconds.
pub const SEED_REPORT_S_MAX: u64 = 24 * 3600;
/// Memory is short when less than this part of it is available.
pub const MEMORY_SHORT_SHARE: u64 = 16;
/// Small machines: less than this is short, bytes.
pub const MEMORY_SHORT_BYTES_MIN: u64 = 64 << 20;
/// Large machines: this much is enough, bytes.
pub const MEMORY_SHORT_BYTES_MAX: u64 = 512 << 20;
/// Memory is short when programs wait for it this share of the time (PSI), hundredths of a percent.
pub const PRESSURE_SHORT_CENTI: u32 = 1000;
/// Not short any more when they wait less than this, hundredths of a percent.
pub const PRESSURE_OVER_CENTI: u32 = 500;
