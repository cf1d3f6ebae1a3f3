/** Messages between the daemon and its DHT process. */

/** An IPv4 address of the seeder; `cidr` is null if its subnet is unknown. */
export interface OwnAddress {
  address: string
  cidr: string | null
}

export type ToDht =
  | { type: 'start'; port: number }
  | { type: 'torrents'; infohashes: string[]; seederPort: number }
  /** Where the seeder can be reached, and from which subnet. */
  | { type: 'addresses'; own: OwnAddress[] }

export type FromDht =
  | { type: 'listening'; port: number }
  | { type: 'failed'; inUse: boolean; message: string }
  | { type: 'stats'; nodes: number }
