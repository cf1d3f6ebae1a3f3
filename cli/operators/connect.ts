/** Opens connections to a server, and says what to do where that fails. Nothing is sent before the server is known to be the right one. */
import { existsSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { withSocketPath } from '../../host/unix-socket.js'
import { BootswarmError } from '../../src/errors.js'
import { formatIpPort } from '../../src/net.js'
import type { KnownServers } from './known-servers.js'
import type { Target } from './target.js'

/** A server that does not answer at all, milliseconds. */
const connectMs = 15_000

type Local = Extract<Target, { kind: 'local' }>
type Remote = Extract<Target, { kind: 'remote' }>

/** How the server is reached. */
export interface Door {
  /** For people: where it is. */
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
  /**
   * Opens one connection.
   *
   * @throws {BootswarmError} SERVER_NOT_RUNNING, SERVER_UNREACHABLE, SOCKET_NOT_ALLOWED, TLS_FAILED, SERVER_KEY_UNKNOWN,
   * SERVER_KEY_CHANGED
   */
  open(): Promise<Socket>
}

/** The Unix socket. `user`: who runs this, for the audit trail. */
export function localDoor({ dataDirs }: Local, user: string): Door {
  const paths = dataDirs.map((directory) => join(directory, 'operators.sock'))
  const path = paths.find((candidate) => existsSync(candidate)) ?? paths[0] ?? ''
  return {
    name: path,
    headers: { host: 'localhost', ...(user === '' ? {} : { 'bootswarm-user': user }) },
    open: async () => {
      try {
        return await opened(
          withSocketPath(path, (short) => connect(short)),
          'connect',
        )
      } catch (error) {
        throw localError(error as NodeJS.ErrnoException, path, dataDirs)
      }
    },
  }
}

/** HTTPS. */
export function remoteDoor({ host, port, token, ca, keySha256 }: Remote, known: KnownServers): Door {
  const name = formatIpPort(host, port)
  return {
    name: `https://${name}`,
    headers: { host: name, authorization: `Bearer ${token}` },
    open: async () => {
      // With a CA that, without one the key decides below, before anything is sent.
      const trust = ca === undefined ? { rejectUnauthorized: false } : { ca }
      let socket: TLSSocket
      try {
        socket = await opened(connectTls({ host, port, minVersion: 'TLSv1.3', ...trust }), 'secureConnect')
      } catch (error) {
        throw remoteError(error as NodeJS.ErrnoException, name)
      }
      try {
        if (ca === undefined) await known.check(name, keyOf(socket, name), keySha256)
        return socket
      } catch (error) {
        socket.destroy()
        throw error
      }
    },
  }
}

/** Who runs this: whom sudo has made root, or the user. */
export function userName(env: Readonly<Record<string, string | undefined>>): string {
  if (env.SUDO_USER) return env.SUDO_USER
  try {
    return userInfo().username
  } catch {
    return ''
  }
}

function opened<S extends Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        socket.destroy(
          Object.assign(new Error(`no answer for ${connectMs / 1000} s`), { code: 'ETIMEDOUT' }),
        ),
      connectMs,
    )
    socket.once('close', () => clearTimeout(timer))
    socket.once('error', reject)
    socket.once(event, () => {
      clearTimeout(timer)
      socket.removeListener('error', reject)
      resolve(socket)
    })
  })
}

function localError(error: NodeJS.ErrnoException, path: string, dataDirs: readonly string[]): BootswarmError {
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    const message = `${path} may be opened by ${ownerOf(path)} and root only: try it with sudo`
    return new BootswarmError('SOCKET_NOT_ALLOWED', message, { cause: error })
  }
  const where = dataDirs.join(' or ')
  const message = `no server runs on ${where}: start it with ./bootswarm, name its --data-dir, or ask another machine's with --server URL`
  return new BootswarmError('SERVER_NOT_RUNNING', message, { cause: error })
}

function ownerOf(path: string): string {
  try {
    return `the user with id ${statSync(path).uid}`
  } catch {
    return 'its owner'
  }
}

/** What Node says where a certificate is not what it should be. */
const certificateErrors = /CERT|SIGN|ISSUER|TLS|SSL|CRL/

function remoteError(error: NodeJS.ErrnoException, name: string): BootswarmError {
  const { code = '', message } = error
  if (certificateErrors.test(code)) {
    const text = `${name}: ${message}: give the CA of that site with --ca (ca.pem of its data/trust)`
    return new BootswarmError('TLS_FAILED', text, { cause: error })
  }
  const text = `${name} does not answer (${message}): check address, port (operators.port) and firewall, and that the server runs`
  return new BootswarmError('SERVER_UNREACHABLE', text, { cause: error })
}

/** SHA-256 of the public key that the server has proved to have. */
function keyOf(socket: TLSSocket, name: string): Uint8Array {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' })
  if (key === undefined) throw new BootswarmError('TLS_FAILED', `${name} has sent no certificate`)
  return key
}
