/** Whom an attacker attacks, and what it knows: all that any machine of the network can find out. */

/** Handed to an attacker as JSON. */
export interface Target {
  /** The server's address, with the ports that it has unless configured. */
  readonly server: string
  /** The attacker's own addresses. */
  readonly addresses: readonly string[]
  readonly nodes: readonly { readonly id: string; readonly mac: string; readonly address: string }[]
  /** Of the payload. */
  readonly infohash: string
  readonly payloadBytes: number
  readonly payloadFile: string
  /** Its path over HTTPS. */
  readonly artifactPath: string
  /** The kernel's path over HTTP. */
  readonly bootPath: string
  /** The attacker ends by itself after this. */
  readonly lastS: number
}

/** The server's ports. */
export const ports = { http: 8480, https: 8443, seeder: 6881, dht: 6881 } as const
