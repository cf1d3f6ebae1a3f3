/** The part of the package `dhcp` that the tests use. */
declare module 'dhcp' {
  import type { EventEmitter } from 'node:events'

  /** What the client was given. */
  export interface BoundState {
    readonly address: string
    readonly server: string
    readonly options: Readonly<Record<string, unknown>>
  }

  /** A client on 0.0.0.0:68. */
  export interface DhcpClient extends EventEmitter {
    on(event: 'error', listener: (error: Error) => void): this
    on(event: 'bound', listener: (state: BoundState) => void): this
    listen(port: number, host: string, done: () => void): void
    sendDiscover(): void
  }

  const dhcp: { createClient(options: { readonly mac: string }): DhcpClient }
  export default dhcp
}
