/** The server's identity: made at the start, its certificate renewed in time and when the machine's addresses change. */
import { ensureIdentity, type Identity } from '../identity/identity.js'
import type { Addresses } from '../process/addresses.js'
import type { Common } from './parts.js'

/** The certificate is looked at this often, milliseconds. */
const certificateLookMs = 6 * 60 * 60 * 1000

/** After a renewal that failed (a full disk), milliseconds: until it succeeds, nodes may be unable to boot. */
const againMs = 30_000

/** Its name where it fails. */
const part = 'renewing the certificate'

/** The identity of the running server. */
export interface ServerIdentity {
  /** Its keys never change; its certificate does. */
  readonly first: Identity
  /** Looks after the certificate from now on; `onRenewed` gets each new one. */
  start(onRenewed: (tls: Identity['tls']) => void): void
  stop(): Promise<void>
}

/**
 * Loads or makes it.
 *
 * @throws BootswarmError KEY_PERMISSIONS, DATA_DIR_UNUSABLE
 */
export async function makeIdentity(
  { config, failures, log, nowMs }: Common,
  addresses: Addresses,
): Promise<ServerIdentity> {
  const ensure = () =>
    ensureIdentity({
      dataDir: config.data_dir,
      site: config.site,
      addresses: addresses.now.all,
      nowMs: nowMs(),
    })
  const first = await ensure()
  if (first.made.length > 0) {
    log.info({ event: 'server.identity-made', made: first.made }, `Made ${first.made.join(', ')}`)
  }
  let { cert } = first.tls
  let timer: NodeJS.Timeout | undefined
  let running = Promise.resolve()
  let isStopped = false
  const look = async (onRenewed: (tls: Identity['tls']) => void) => {
    clearTimeout(timer)
    let nextMs = certificateLookMs
    try {
      const { tls } = await ensure()
      if (tls.cert !== cert) {
        onRenewed(tls)
        const names = addresses.now.all.join(', ')
        log.info({ event: 'server.certificate-renewed', names }, `Made a new certificate, for ${names}`)
      }
      cert = tls.cert
      failures.worked(part)
    } catch (error) {
      nextMs = againMs
      failures.failed(part, error)
    }
    if (!isStopped) timer = setTimeout(() => lookInTurn(onRenewed), nextMs).unref()
  }
  const lookInTurn = (onRenewed: (tls: Identity['tls']) => void) => {
    running = running.then(() => look(onRenewed))
  }
  return {
    first,
    start: (onRenewed) => {
      addresses.onChange(() => lookInTurn(onRenewed))
      lookInTurn(onRenewed)
    },
    stop: async () => {
      isStopped = true
      clearTimeout(timer)
      await running
    },
  }
}
