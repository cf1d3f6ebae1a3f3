/**
 * What the HTTP routes ask of the rest of the server, and nothing else (server/api/ has the answers).
 */
import type { KernelArch } from '../../src/arch.js'
import type { Proof } from '../../src/credentials.js'
import type { AgentEvent } from '../../src/events.js'

/** A file that may be served; it never changes under its SHA-256. */
export interface ServedFile {
  readonly path: string
  readonly sizeBytes: number
  /** 64 lower-case hex digits. */
  readonly sha256: string
  /** Seconds since 1970. */
  readonly modifiedS: number
  /** A boot file: may go over plain HTTP. */
  readonly isBoot: boolean
}

/** A node's request for its manifest, parsed. */
export interface ManifestRequest {
  readonly node: string
  /** 32 lower-case hex digits. */
  readonly nonce: string
  /** 16 lower-case hex digits, or empty. */
  readonly boot: string
  /** The node's address. */
  readonly address: string
  /** The server's own address, as the node reached it. */
  readonly serverAddress: string
  /** Missing: it does not say, or it is one that no kernel is looked for. */
  readonly arch: KernelArch | undefined
  /** Missing: nothing proves that it is the node's own. */
  readonly proof: Proof | undefined
  /** Where it listens for BitTorrent, when it wants to know its peers too. */
  readonly listening?: { readonly peerId: string; readonly port: number }
}

/** A node's request for its iPXE script, parsed. */
export interface ScriptRequest {
  /** `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  /** iPXE's name; missing: not asked yet. */
  readonly arch: string | undefined
  /** Tries that have failed. */
  readonly tries: number
  readonly address: string
  readonly serverAddress: string
  /** The node has hung up. */
  readonly gone: AbortSignal
}

/** A boot file that a node begins to load. */
export interface BootDownload {
  /** `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  readonly address: string
  /** SHA-256 of the file. */
  readonly file: string
  readonly name: string
  /** What the kernel has taken of the answer so far, bytes. */
  movedBytes(): number
  /** Ends the connection. */
  close(): void
}

/** A boot file that a node loads in its turn. */
export interface BootFetch {
  /** The turn moves so little that it is no longer counted, or would be given to the next node. */
  isCrawling(): boolean
  end(isWhole: boolean): void
}

/** What was sent of a boot program. */
export interface ProgramSent {
  /** `ARCH/FILE`. */
  readonly name: string
  readonly address: string
  readonly sentBytes: number
  readonly sizeBytes: number
  readonly isWhole: boolean
}

/** What the routes of network boot ask. */
export interface NetbootAnswers {
  /** A boot program or the script beside it, by `ARCH/FILE`. */
  program(name: string, serverAddress: string): Uint8Array | undefined
  /** A machine has loaded a boot program, or some of it. */
  programSent(sent: ProgramSent): void
  /** The script; resolves after a while when the node has to wait. */
  script(request: ScriptRequest): Promise<string>
  /** A node begins to load a file; undefined: it is not its turn. */
  fetch(download: BootDownload): BootFetch | undefined
}

/** What a node that has reported is told. */
export interface ReportAnswer {
  /** Seconds until it shall report again, 0: it shall seed no more; undefined: it does not seed. */
  readonly seedS: number | undefined
  /** MACs of machines of its network that it shall wake. */
  readonly wake: readonly string[]
}

/** The answers. None of them blocks. */
export interface HttpServices {
  /** The current version of the catalog, 0 before the first. */
  version(): number
  /** An artifact of any version that is still served. */
  artifact(sha256: string, name: string): ServedFile | undefined
  /** A boot file of the current version. */
  bootFile(name: string): ServedFile | undefined
  /** The `.torrent` file; `serverAddress` is where the client reached us. */
  torrent(infohash: string, serverAddress: string): Uint8Array | undefined
  /**
   * The signed manifest, as a body; with the peers behind it for a node that listens (docs/manifest.md).
   *
   * @throws BootswarmError CATALOG_EMPTY, PROFILE_ARTIFACT_MISSING, TICKET_REFUSED, TICKET_REQUIRED
   */
  manifest(request: ManifestRequest): Uint8Array
  /**
   * Whether a report of so many bytes may come now.
   *
   * @throws BootswarmError REPORTS_TOO_MANY
   */
  admitReport(node: string, address: string, bytes: number): void
  /**
   * Whether a report is its node's own, as far as it can tell.
   *
   * @throws BootswarmError SIGNATURE_INVALID
   */
  checkReport(node: string, address: string, proof: Proof | undefined): void
  /**
   * Takes in what a node reports. Resolves when the report is on the disk.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED
   */
  eventsReceived(node: string, address: string, events: readonly AgentEvent[]): Promise<ReportAnswer>
  /** An unverified report: it came over plain HTTP under a node's name, and is only logged. */
  unverifiedReceived(
    node: string,
    address: string,
    failure: { readonly code: string; readonly message: string },
  ): void
  /** The JSON of `/v1/status`. */
  status(): object
  /** Missing: no network boot over HTTP. */
  readonly netboot?: NetbootAnswers
  /** The origin has sent this much of an artifact over HTTP or HTTPS. */
  bytesServed(bytes: number, isBoot: boolean): void
}
