/**
 * The server's one error type: a stable code for machines, a text for people.
 * Every code is listed in docs/errors.md; a test holds the two against each other.
 */

/** The stable codes of the server and the tools. */
export const errorCodes = [
  'ACTIONS_TOO_MANY',
  'ACTION_CONFLICT',
  'ACTION_UNKNOWN',
  'ADDRESS_IN_USE',
  'AGENT_MISSING',
  'API_UNREADABLE',
  'ARTIFACT_DICTIONARY_LIMIT',
  'ARTIFACT_EMPTY',
  'ARTIFACT_FORMAT_INVALID',
  'ARTIFACT_GROWING',
  'ARTIFACT_NAME_INVALID',
  'ARTIFACT_NOT_A_FILE',
  'ARTIFACT_NOT_FOUND',
  'ARTIFACT_REFUSED',
  'ARTIFACT_UNREADABLE',
  'ARTIFACT_VANISHED',
  'BENCODE_MALFORMED',
  'BOOT_FILES_MISSING',
  'BOOT_PROGRAM_MISSING',
  'BOOT_REFUSED',
  'CATALOG_EMPTY',
  'CHANGE_NOT_SAVED',
  'CONFIG_INVALID',
  'CONFIG_NOT_WRITTEN',
  'CONFIG_UNKNOWN_KEY',
  'CONFIG_UNREADABLE',
  'DATABASE_FAILED',
  'DATA_DIR_LOCKED',
  'DATA_DIR_UNUSABLE',
  'DHCP_ADDRESS_CONFLICT',
  'DHCP_MALFORMED',
  'DHCP_NO_POOL',
  'DHCP_POOL_EXHAUSTED',
  'DHCP_RIVAL',
  'EVENTS_INVALID',
  'EVENT_STREAMS_TOO_MANY',
  'IMAGE_FAILED',
  'INTERNAL',
  'KEY_PERMISSIONS',
  'MANIFEST_BAD_INFOHASH',
  'MANIFEST_BAD_NONCE',
  'MANIFEST_BAD_SIGNATURE',
  'MANIFEST_LIMIT',
  'MANIFEST_MALFORMED',
  'MANIFEST_REPLAYED',
  'MANIFEST_UNKNOWN_FIELD',
  'MANIFEST_WRONG_NODE',
  'NETBOOT_FAILED',
  'NETBOOT_NOT_ALLOWED',
  'NODE_DRAINED',
  'NODE_ID_INVALID',
  'NODE_NOT_ADMITTED',
  'NODE_UNKNOWN',
  'ORIGIN_BUSY',
  'PACKAGE_MISSING',
  'PART_FAILED',
  'PROFILE_ARTIFACT_MISSING',
  'RANGE_INVALID',
  'REPORTS_NOT_SAVED',
  'REPORTS_TOO_MANY',
  'REQUEST_INVALID',
  'ROLE_TOO_LOW',
  'ROOTFS_SURPLUS',
  'ROUTE_NOT_FOUND',
  'SEEDER_FAILED',
  'SERVER_KEY_CHANGED',
  'SERVER_KEY_UNKNOWN',
  'SERVER_NOT_RUNNING',
  'SERVER_UNREACHABLE',
  'SIGNATURE_INVALID',
  'SOCKET_NOT_ALLOWED',
  'STORM_FAILED',
  'STORM_UNSUPPORTED',
  'TICKET_REFUSED',
  'TICKET_REQUIRED',
  'TLS_FAILED',
  'TLS_REQUIRED',
  'TOKENS_TOO_MANY',
  'TOKEN_INVALID',
  'TOKEN_MISSING',
  'TOKEN_TRIES_TOO_MANY',
  'TOKEN_UNKNOWN',
  'TOOL_MISSING',
  'TRACKER_REQUEST_INVALID',
  'TRUST_MISSING',
  'USAGE_INVALID',
] as const

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number]

/** A failure with its stable code and one line for people. */
export class BootswarmError extends Error {
  readonly code: ErrorCode
  /** When whoever asked may ask again, whole seconds from now. */
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterS?: number }) {
    super(message, options)
    this.name = 'BootswarmError'
    this.code = code
    this.retryAfterS = options?.retryAfterS
  }
}

/** What the system answers when it has no more of something for this process or for all. */
const shortages = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** Whether a call failed for want of descriptors or memory: that says nothing about what was asked for. */
export function isShortage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && shortages.has(String(error.code))
}
