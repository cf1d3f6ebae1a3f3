/**
 * What TFTP serves: a table of names, held in memory. A request chooses an entry of the table or nothing; no path ever
 * reaches a file system. No I/O.
 */

/** Addresses of one transfer: a generated file names the server as this client reaches it. */
export interface TftpClient {
  readonly address: string
  /** Our own address on the way to it. */
  readonly serverAddress: string
}

/** A file of fixed bytes, or one that is written for the client. */
export type TftpFile = Uint8Array | ((client: TftpClient) => Uint8Array)

/** The table: names in lower case, `ARCH/FILE` and `FILE`. */
export type TftpFiles = ReadonlyMap<string, TftpFile>

/**
 * The name of the table that a request means. Firmware writes it in many ways: with a leading slash, with backslashes,
 * in upper case, or with the end mark of its DHCP option (0xff) stuck to it.
 */
export function tableName(name: string): string {
  return name
    .replace(/\xff+$/, '')
    .replaceAll('\\', '/')
    .replace(/^(?:\.?\/)+/, '')
    .toLowerCase()
}
