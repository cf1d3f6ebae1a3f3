/** What the daemon and its DHT process tell each other. */

export type ToDht =
  | { type: 'start'; port: number }
  | { type: 'torrents'; infohashes: string[]; seederPort: number }

export type FromDht =
  | { type: 'listening'; port: number }
  | { type: 'failed'; inUse: boolean; message: string }
  | { type: 'stats'; nodes: number }
