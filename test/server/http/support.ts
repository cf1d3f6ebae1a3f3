/** A listener on real files, HTTP or HTTPS, and a client that sees every header. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClientLimitNumbers, makeClientLimits } from '../../../server/http/client-limits.js'
import type { Listener } from '../../../server/http/listener.js'
import { listenForNodes, type NodeListenerOptions } from '../../../server/http/node-listener.js'
import type { HttpServices, ManifestRequest, NetbootAnswers } from '../../../server/http/services.js'
import { StreamSlots } from '../../../server/http/stream-slots.js'
import { ensureIdentity, type Identity } from '../../../server/identity/identity.js'
import { Failures } from '../../../server/process/failures.js'
import { BootswarmError } from '../../../src/errors.js'
import type { AgentEvent } from '../../../src/events.js'

export const modifiedS = 1_700_000_000
export const infohash = 'ab'.repeat(20)

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** It is everybody's turn. */
const bootsAll: Omit<NetbootAnswers, 'program'> = {
  script: async () => '',
  programSent: () => {},
  fetch: () => ({ isCrawling: () => false, end: () => {} }),
}

/** Files, services and listeners of one test. */
export class HttpBench {
  readonly dir = mkdtempSync(join(tmpdir(), 'bootswarm-http-'))
  readonly bytes: Buffer
  readonly sha256: string
  readonly manifests: ManifestRequest[] = []
  readonly events: [string, AgentEvent[]][] = []
  readonly unverified: [string, string][] = []
  readonly errors: object[] = []
  servedBytes = 0
  /** What nodes that report are told. */
  seedS: number | undefined
  wake: readonly string[] = []
  empty = false
  manifest = Buffer.from('manifest')
  /** The boot program, whatever its name. */
  program: Buffer | undefined
  /** Of the last listener. */
  limits = makeClientLimits({ connectionsMax: 4096, answerBytesMax: 64 << 20 })
  slots = new StreamSlots(16, 256 * 1024)
  /** Lengths of the bodies that were to be admitted. */
  readonly reportBytes: number[] = []
  /** The keys that were to have signed reports. */
  readonly proofs: (string | undefined)[] = []
  /** Why reports are not admitted. */
  refusal: Error | undefined
  /** What reports wait for. */
  saved: Promise<void> = Promise.resolve()
  identity: Identity | undefined
  readonly #listeners: Listener[] = []

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.sha256 = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(this.dir, 'file'), bytes)
  }

  async listen(
    secure: boolean,
    options: Partial<NodeListenerOptions> & {
      streamsMax?: number
      slowWindowMs?: number
      bounds?: Partial<ClientLimitNumbers>
      isBootingByTurn?: boolean
    } = {},
  ): Promise<Listener> {
    const { streamsMax = 16, slowWindowMs, bounds = {}, isBootingByTurn = false } = options
    this.identity ??= await ensureIdentity({
      dataDir: this.dir,
      site: 'test',
      addresses: [],
      nowMs: Date.now(),
    })
    this.limits = makeClientLimits({ connectionsMax: 4096, answerBytesMax: 64 << 20, ...bounds })
    this.slots = new StreamSlots(streamsMax, 256 * 1024)
    const listener = await listenForNodes({
      host: '127.0.0.1',
      port: 0,
      plugins: [],
      limits: this.limits,
      services: { ...this.#services(), ...(isBootingByTurn && { netboot: this.#netboot() }) },
      sending: {
        slots: this.slots,
        nowMs: () => performance.now(),
        retryAfterMinS: 1,
        ...(slowWindowMs === undefined ? {} : { slowWindowMs }),
      },
      log: { debug: () => {}, error: (facts) => this.errors.push(facts) },
      failures: new Failures({ error: (facts: object) => this.errors.push(facts), info: () => {} }, Date.now),
      ...(secure ? { tls: this.identity.tls } : {}),
      ...options,
    })
    this.#listeners.push(listener)
    return listener
  }

  async end(): Promise<void> {
    for (const listener of this.#listeners) await listener.close()
    rmSync(this.dir, { recursive: true })
  }

  #netboot(): NetbootAnswers {
    return { ...bootsAll, program: () => this.program }
  }

  #services(): HttpServices {
    const { sha256 } = this
    const file = (isBoot: boolean) => ({
      path: join(this.dir, 'file'),
      sizeBytes: this.bytes.length,
      sha256,
      modifiedS,
      isBoot,
    })
    return {
      version: () => 3,
      artifact: (asked, name) => {
        if (asked === 'f'.repeat(64)) return { ...file(false), path: join(this.dir, 'gone') }
        if (asked !== sha256) return undefined
        return name === 'vmlinuz' ? file(true) : name === 'base ä.tar.gz' ? file(false) : undefined
      },
      bootFile: (name) => (name === 'vmlinuz' ? file(true) : undefined),
      torrent: (asked, address) => (asked === infohash ? Buffer.from(`torrent at ${address}`) : undefined),
      manifest: (request) => {
        if (this.empty) throw new BootswarmError('CATALOG_EMPTY', 'nothing there')
        if (request.node === 'broken') throw new Error(`secret in ${this.dir}`)
        this.manifests.push(request)
        return this.manifest
      },
      admitReport: (_node, _address, bytes) => {
        this.reportBytes.push(bytes)
        if (this.refusal !== undefined) throw this.refusal
      },
      checkReport: (_node, _address, proof) => {
        this.proofs.push(proof?.credentials.key)
      },
      eventsReceived: async (node, _address, events) => {
        await this.saved
        this.events.push([node, [...events]])
        return { seedS: this.seedS, wake: this.wake }
      },
      unverifiedReceived: (node, _address, { code }) => {
        this.unverified.push([node, code])
      },
      status: () => ({ version: 3 }),
      bytesServed: (bytes) => {
        this.servedBytes += bytes
      },
    }
  }
}

/** One request; over TLS where the CA is given. */
export function ask(
  port: number,
  path: string,
  options: {
    readonly ca?: string | undefined
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly body?: string
    readonly localAddress?: string
    readonly agent?: Agent
  } = {},
): Promise<Answer> {
  const { ca, body, ...rest } = options
  const target = { host: '127.0.0.1', port, path, ...rest }
  return new Promise((resolve, reject) => {
    const request = ca === undefined ? httpRequest(target) : httpsRequest({ agent: false, ...target, ca })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
    request.end(body)
  })
}

/** The code in an error's body; fails if it is not exactly `{"code","message"}`. */
export function codeOf(answer: Answer): string {
  const value = JSON.parse(answer.body.toString()) as Record<string, string>
  if (Object.keys(value).join() !== 'code,message') throw new Error(`not an error: ${answer.body}`)
  return value.code ?? ''
}

/** All that a raw connection receives until it is closed. */
export function rest(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    socket.on('data', (part: Buffer) => parts.push(part))
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(parts)))
  })
}

/** How often this process has the file of the site open. */
export function openFiles(site: HttpBench): number {
  const path = join(site.dir, 'file')
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  }).length
}
