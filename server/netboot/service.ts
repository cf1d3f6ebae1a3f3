/**
 * What runs in the netboot process: DHCP and TFTP, which share its event loop with nothing else. Each is made from its
 * part of the start message (messages.ts), bound while the process may, and tells the daemon what it has to tell.
 */

/** One line of a service's log; `code` where an operator can do something about it. */
export type NetbootLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  facts: Record<string, string | number | boolean>,
  text: string,
) => void

/** One service of the process. */
export interface NetbootService {
  /**
   * Opens its ports. The first service is asked again while one is in use: it must have closed what it opened by then.
   * The process is still root here if the daemon was started as root, and never afterwards.
   *
   * @throws BootswarmError NETBOOT_NOT_ALLOWED, ADDRESS_IN_USE
   */
  bind(): Promise<void>
  /** Closes its ports and tells what it has not told yet; what is under way goes on. */
  retire(): void
  /** Something is under way. */
  isBusy(): boolean
  /** Counters since the start of the process, for `/v1/status`. */
  stats(): Record<string, number>
}
