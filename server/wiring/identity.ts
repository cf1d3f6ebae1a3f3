/** The server's identity: made at the start, its certificate renewed in time. */
import { ensureIdentity, type Identity } from '../identity/identity.js'
import type { Common } from './parts.js'

/** The certificate is looked at this often, milliseconds. */
const certificateLookMs = 6 * 60 * 60 * 1000

/** The identity of the running server. */
export interface ServerIdentity {
  /** Its keys never change; its certificate does. */
  readonly first: Identity
  /** Looks after the certificate from now on; `onRenewed` gets each new one. */
  start(onRenewed: (tls: Identity['tls']) => void): void
  stop(): void
}

/**
 * Loads or makes it.
 *
 * @throws BootswarmError KEY_PERMISSIONS, DATA_DIR_UNUSABLE
 */
export async function makeIdentity(
  { config, log, nowMs }: Common,
  addresses: readonly string[],
): Promise<ServerIdentity> {
  const ensure = () =>
    ensureIdentity({ dataDir: config.data_dir, site: config.site, addresses, nowMs: nowMs() })
  const first = await ensure()
  if (first.made.length > 0) {
    log.info({ event: 'server.identity-made', made: first.made }, `Made ${first.made.join(', ')}`)
  }
  let { cert } = first.tls
  let timer: NodeJS.Timeout | undefined
  const look = async (onRenewed: (tls: Identity['tls']) => void) => {
    try {
      const { tls } = await ensure()
      if (tls.cert !== cert) onRenewed(tls)
      cert = tls.cert
    } catch (error) {
      log.error({ event: 'server.renewal-failed', err: error }, 'The certificate could not be renewed')
    }
  }
  return {
    first,
    start: (onRenewed) => {
      timer = setInterval(() => void look(onRenewed), certificateLookMs)
      timer.unref()
    },
    stop: () => clearInterval(timer),
  }
}
