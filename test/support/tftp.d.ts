/** The part of the package `tftp` that the tests use. */
declare module 'tftp' {
  export interface Options {
    readonly host: string
    readonly port: number
    readonly blockSize: number
    readonly windowSize: number
    readonly retries: number
    readonly timeout: number
  }
  export interface Client {
    get(remote: string, local: string, done: (error?: Error) => void): void
  }
  const tftp: { createClient(options: Options): Client }
  export default tftp
}
