/** Every bound of the TypeScript side in one place, units last in the names. The agent's are in core/limits.rs. */

/** Largest manifest body, bytes. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024
/** Pieces of an artifact whose hashes stand in the manifest; those of larger ones come from peers (BEP 9). */
export const MANIFEST_INLINE_PIECES_MAX = 16
/** Artifacts in one manifest. */
export const MANIFEST_ARTIFACTS_MAX = 256
/** Origins of one artifact. */
export const MANIFEST_ORIGINS_MAX = 8
/** Entries of each of the lists `dht`, `seeders` and `trackers`. */
export const MANIFEST_ADDRESSES_MAX = 8
/** Characters of one URL or address in a manifest. */
export const MANIFEST_URL_LENGTH_MAX = 2048
/** Bytes of an artifact's name (UTF-8). */
export const ARTIFACT_NAME_BYTES_MAX = 128
/** Largest artifact, bytes. */
export const ARTIFACT_BYTES_MAX = 2 ** 40
/** Smallest piece, bytes. */
export const PIECE_LENGTH_MIN_BYTES = 16 * 1024
/** Largest piece, bytes. */
export const PIECE_LENGTH_MAX_BYTES = 4 * 1024 * 1024
/**
 * Largest dictionary of an archive that agents unpack, bytes: that of `xz -6` and `zstd -19`. It lies in a node's
 * memory beside the payload.
 */
export const UNPACK_DICTIONARY_BYTES_MAX = 8 * 1024 * 1024
/** Members of a node's settings. */
export const SETTINGS_MAX = 256
/** Bytes of a setting's name. */
export const SETTING_NAME_BYTES_MAX = 64
/** Bytes of a setting's value (UTF-8). */
export const SETTING_VALUE_BYTES_MAX = 4096
/** Characters of a node's identity, of the site's and of a rack's name. */
export const NAME_LENGTH_MAX = 64
/** Characters of a host name (RFC 1123 label). */
export const HOSTNAME_LENGTH_MAX = 63

/** Depth of nested bencode that is parsed. */
export const BENCODE_DEPTH_MAX = 16
/** Values (integers, strings, lists, dictionaries) in one bencoded document. */
export const BENCODE_VALUES_MAX = 65_536
/** Largest bencoded document, bytes: a torrent of 2^20 pieces and its frame. */
export const BENCODE_BYTES_MAX = 24 * 1024 * 1024
/** Depth of nested canonical JSON. */
export const JSON_DEPTH_MAX = 16

/** Characters of one hostlist expression. */
export const HOSTLIST_LENGTH_MAX = 4096
/** Names that one hostlist may stand for. */
export const HOSTLIST_NAMES_MAX = 16_384

/** Events in one POST. */
export const EVENTS_MAX = 64
/** Largest body of one POST of events, bytes. */
export const EVENTS_BYTES_MAX = 64 * 1024
/** Members of an event's `data`. */
export const EVENT_DATA_MAX = 16
/** Characters of a string in an event's `data`. */
export const EVENT_STRING_LENGTH_MAX = 1024

/** Longest time until a node that seeds is to report again, seconds. */
export const SEED_REPORT_MAX_S = 1800
/** Shortest such time, where the configured calm is not shorter, seconds. */
export const SEED_REPORT_MIN_S = 30
/** Of so many nodes one may be in mid-boot while the site counts as calm: some rig always restarts. */
export const SEED_STRAGGLER_PER_NODES = 100

/** Files that are no artifacts, by name, in one status. */
export const STATUS_PASSED_OVER_MAX = 100

/** Largest configuration file, bytes. */
export const CONFIG_BYTES_MAX = 1024 * 1024
/** Values in a configuration file, aliases followed (against "billion laughs"). */
export const CONFIG_VALUES_MAX = 100_000
/** Depth of nested YAML that is parsed. */
export const CONFIG_DEPTH_MAX = 32

/** Profiles, and groups of nodes, in a configuration. */
export const PROFILES_MAX = 1024
export const GROUPS_MAX = 1024
/** Profiles that one profile extends, or that one group or node is given. */
export const PROFILES_OF_ONE_MAX = 32
/** Values of one kind that a group matches by; as many as nodes in a configuration. */
export const MATCH_VALUES_MAX = 4096

/** Largest data of an event whose type the server does not know, bytes as JSON: an inventory of a machine fits twice. */
export const EVENT_UNKNOWN_DATA_BYTES_MAX = 8192
/** Depth of such data. */
export const EVENT_UNKNOWN_DEPTH_MAX = 8

/** Events of the timeline kept of one node that is known, and of one that nobody knows yet; the oldest go first. A boot has about 45. */
export const EVENTS_PER_NODE_MAX = 512
export const EVENTS_PER_UNKNOWN_NODE_MAX = 128
/** Of machines that no node has turned out to be, all together: 500 machines boot more than three times. MACs can be invented. */
export const EVENTS_OF_STRANGERS_MAX = 65_536
/** Of the server; operators have AUDIT_ROWS_MAX. */
export const EVENTS_OF_SERVER_MAX = 16_384
/** Older events go, those of the newest boot of each node excepted, milliseconds. */
export const EVENT_AGE_MAX_MS = 90 * 24 * 60 * 60_000
/** Events in one answer of the timeline. */
export const TIMELINE_READ_MAX = 1024
/** Characters of a text in what the server itself reports. */
export const TIMELINE_STRING_LENGTH_MAX = 256
/** Facts that wait for the database, bytes: some 16,000. More are left out, and counted. */
export const FACTS_WAITING_BYTES_MAX = 4 * 1024 * 1024
/** Largest database, bytes: above it the oldest events go, those of unknown nodes first. */
export const DATABASE_BYTES_MAX = 1024 * 1024 * 1024
/** Nodes that are remembered: known ones (they have booted, or the configuration names them) and others. */
export const NODES_KNOWN_MAX = 12_288
export const NODES_UNKNOWN_MAX = 4096
/** All of them; what relays say of nodes has the same bound. */
export const NODES_MAX = NODES_KNOWN_MAX + NODES_UNKNOWN_MAX
/** Of each kind that were last heard of at one address: more than any farm behind one NAT. */
export const NODES_PER_ADDRESS_MAX = 1024
/** Operators' tokens that are remembered, revoked ones included: the longest revoked are forgotten first. */
export const TOKENS_MAX = 1024
/** Characters of a token's name, and of a node's label. */
export const TOKEN_NAME_LENGTH_MAX = 64
export const LABEL_LENGTH_MAX = 64
/** Labels that are kept: also those of nodes that are remembered no more, the oldest of which go first. */
export const LABELS_MAX = 2 * NODES_MAX
/** Characters of the reason for which a node is drained. */
export const DRAIN_REASON_LENGTH_MAX = 64
/** Nodes that are drained; the longest drained go first. */
export const DRAINS_MAX = 2 * NODES_MAX
/** Next boots that are kept; those that were set first go first. */
export const NEXT_BOOTS_MAX = 2 * NODES_MAX
/** Actions at nodes' power: nodes of one, those that run at once, and all that are remembered. */
export const ACTION_NODES_MAX = 1024
export const ACTIONS_MAX = 8
export const ACTIONS_KEPT_MAX = 64
/** Network cards of one machine that are woken. */
export const WAKE_CARDS_MAX = 8
/** Approvals that are kept, also of nodes that are remembered no more; the oldest go first. */
export const APPROVALS_MAX = 2 * NODES_MAX
/** Lines of the audit trail, which are events of the timeline; the oldest go first. */
export const AUDIT_ROWS_MAX = 65_536
/** Nodes, events or lines in one answer to an operator. */
export const PAGE_MAX = 1000
/** Operators that follow events at once: of one address, and of all. */
export const EVENT_STREAMS_PER_ADDRESS_MAX = 16
export const EVENT_STREAMS_MAX = 64

/** Bytes of reports that wait for the database. */
export const REPORTS_WAITING_BYTES_MAX = 8 * 1024 * 1024

/** Largest DHCP message that is read, bytes: what fits into one Ethernet frame. */
export const DHCP_MESSAGE_BYTES_MAX = 1472
/** Largest DHCP message that any client must take, bytes (RFC 2131 2, less the IP and UDP headers). */
export const DHCP_REPLY_BYTES_MAX = 548
/** Leases and offers that are remembered, of all pools together. */
export const DHCP_LEASES_MAX = 65_536
/** Machines whose offer was given to another one, and who get the address all the same if they ask for it first. */
export const DHCP_RECALLED_MAX = 4096
/** Rival DHCP servers, and nodes refused, that are remembered so that each is told of once. */
export const DHCP_REMEMBERED_MAX = 1024
/** Interfaces that netboot serves. */
export const NETBOOT_INTERFACES_MAX = 64
/** Bytes of `netboot.*` texts that become a DHCP option. */
export const DHCP_OPTION_BYTES_MAX = 255

/** Largest block of a TFTP transfer, bytes: with its headers it fits into one Ethernet frame with room for a tunnel. */
export const TFTP_BLOCK_BYTES_MAX = 1450
/** Blocks in flight in one TFTP transfer (RFC 7440). */
export const TFTP_WINDOW_MAX = 64
/** Largest TFTP request, bytes (RFC 2347). */
export const TFTP_REQUEST_BYTES_MAX = 512
/** Bytes of a file name in a TFTP request. */
export const TFTP_NAME_BYTES_MAX = 128
/** Options in one TFTP request. */
export const TFTP_OPTIONS_MAX = 16
/** TFTP transfers at once: every node of a large farm, and then some. */
export const TFTP_TRANSFERS_MAX = 1024
/** Of one address, TFTP transfers that nobody has answered: a farm of 500 behind one address begins within a second. */
export const TFTP_UNCONFIRMED_MAX = 512
/** A TFTP transfer without progress ends after this, milliseconds. */
export const TFTP_GIVE_UP_MS = 20_000
/** Largest network boot program, bytes: it is held in memory. */
export const BOOT_PROGRAM_BYTES_MAX = 4 * 1024 * 1024
/** Characters of `kernel_args`. */
export const KERNEL_ARGS_LENGTH_MAX = 1024
/**
 * Characters of all kernel arguments of a node that profiles put together: Linux cuts off at 2,048 on x86 and arm64
 * (COMMAND_LINE_SIZE), and the boot script's own words take up to 268.
 */
export const KERNEL_LINE_LENGTH_MAX = 1776
/**
 * How often a node asks for its boot script before it gives up: for half an hour, in which a server starts anew, or an
 * operator puts the kernel in its place. Where no other boot device is left, who gives up needs a power cycle.
 */
export const BOOT_TRIES_MAX = 64
/** Nodes that wait in the queue for kernel and stage 1; those silent for longest go first. */
export const BOOT_QUEUE_MAX = 16_384
/** Of one address: a large farm behind a router that translates addresses, four times over. */
export const BOOT_QUEUE_OF_ADDRESS_MAX = 2048

/** Boot tickets that nobody has redeemed, in all and of one address: as many as nodes in the queue. */
export const TICKETS_MAX = BOOT_QUEUE_MAX
export const TICKETS_OF_ADDRESS_MAX = BOOT_QUEUE_OF_ADDRESS_MAX

/** Kernel and stage 1 together, bytes: each node loads them through the server's link. A warning above, and a test. */
export const STAGE1_BUDGET_BYTES = 10_500_000
