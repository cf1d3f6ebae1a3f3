/** The real server as a process of its own, on free ports and a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Manifest, openManifest } from '../../../src/manifest.js'
import { hangMs } from '../../support/limits.js'
import { type Answer, ask } from '../http/support.js'

export const mainFile = fileURLToPath(new URL('../../../server/main.js', import.meta.url))
export const nonce = '00112233445566778899aabbccddeeff'

/** One line of the log. */
export interface Line {
  readonly event?: string
  readonly code?: string
  readonly file?: string
  readonly version?: number
  readonly user?: string
  readonly path?: string
  readonly remedy?: string
  readonly covered?: readonly string[]
  readonly failing?: string
  readonly signal?: string
  readonly error?: { readonly message: string }
  readonly msg: string
}

const live = new Set<Site>()
process.on('exit', () => {
  for (const site of live) site.endNow()
})

/** A site: artifacts, data and configuration. Its directory goes away with the process, at the latest. */
export class Site {
  /** What {@link end} takes away. */
  readonly top = mkdtempSync(join(tmpdir(), 'bootswarm-main-'))
  readonly dir: string
  readonly data: string
  readonly config: string
  readonly daemons: Daemon[] = []
  /** What a server is started with, before its flags. */
  command: readonly string[] = [process.execPath, mainFile]

  /** @param below where in its directory it lies */
  constructor(extra = '', below = '.') {
    live.add(this)
    // Another user may have to reach it.
    chmodSync(this.top, 0o755)
    this.dir = join(this.top, below)
    this.data = join(this.dir, 'data')
    this.config = join(this.dir, 'site.yaml')
    for (const name of ['rootfs', 'plugins', 'boot'])
      mkdirSync(join(this.dir, 'artifacts', name), { recursive: true })
    this.configure(extra)
  }

  configure(extra: string): void {
    const lines = [
      'http: {port: 0}',
      'https: {port: 0}',
      'seeder: {port: 0}',
      'dht: {port: 0}',
      'lsd: {enabled: false}',
      ...(extra.includes('operators:') ? [] : ['operators: {port: 0}']),
      ...(extra.includes('netboot:') ? [] : ['netboot: {mode: off}']),
      'address: 127.0.0.1',
    ]
    writeFileSync(this.config, `${lines.join('\n')}\n${extra}\n`)
  }

  artifact(path: string): string {
    return join(this.dir, 'artifacts', path)
  }

  start(...args: string[]): Daemon {
    const daemon = new Daemon(this, args)
    this.daemons.push(daemon)
    return daemon
  }

  /** The same where nothing can be waited for: the process ends. */
  endNow(): void {
    for (const daemon of this.daemons) daemon.signal('SIGKILL')
    rmSync(this.top, { recursive: true, force: true, maxRetries: 3 })
  }

  async end(): Promise<void> {
    for (const daemon of this.daemons) await daemon.kill('SIGKILL')
    live.delete(this)
    rmSync(this.top, { recursive: true, force: true })
  }
}

/** A server process. */
export class Daemon {
  readonly lines: Line[] = []
  /** What it wrote, as it wrote it. */
  stdout = ''
  stderr = ''
  readonly exited: Promise<number | null>
  /** Where it can be read from here: it may be mounted in the server's namespace only. */
  dataDir: string
  readonly #process: ChildProcess
  #listeners: (() => void)[] = []

  constructor(site: Site, args: readonly string[]) {
    this.dataDir = site.data
    const [program = '', ...first] = site.command
    this.#process = spawn(program, [...first, '--config', site.config, ...args], {
      cwd: site.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    })
    this.#process.stderr?.on('data', (part: Buffer) => {
      this.stderr += part.toString()
    })
    if (this.#process.stdout) {
      this.#process.stdout.on('data', (part: Buffer) => {
        this.stdout += part.toString()
      })
      createInterface(this.#process.stdout).on('line', (line) => {
        this.lines.push(line.startsWith('{') ? (JSON.parse(line) as Line) : { msg: line })
        this.#tell()
      })
    }
    this.exited = new Promise((resolve) => {
      // `close`, not `exit`: its last words count.
      this.#process.on('close', (code) => {
        resolve(code)
        this.#tell()
      })
    })
  }

  /** The signal that ended it, if one did. */
  get endedBy(): NodeJS.Signals | null {
    return this.#process.signalCode
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** The first line of this event, seen or to come; fails if the server ends before, or hangs. */
  line(event: string, from = 0): Promise<Line> {
    return this.said((line) => line.event === event, event, from)
  }

  /** The first line like this, seen or to come. */
  async said(isIt: (line: Line) => boolean, what = String(isIt), from = 0): Promise<Line> {
    const endMs = performance.now() + hangMs
    for (;;) {
      const found = this.lines.slice(from).find(isIt)
      if (found !== undefined) return found
      const leftMs = endMs - performance.now()
      if (leftMs <= 0 || this.#process.exitCode !== null || this.#process.signalCode !== null) {
        throw new Error(
          `no ${what}; exit ${this.#process.exitCode}; ${this.stderr} ${JSON.stringify(this.lines)}`,
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#listeners.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  kill(signal: NodeJS.Signals): Promise<number | null> {
    this.#process.kill(signal)
    return this.exited
  }

  /** The ports file of the running server. */
  ports(): Record<'http' | 'https' | 'seeder' | 'dht' | 'operators' | 'pid', number> {
    return JSON.parse(readFileSync(join(this.dataDir, 'run', 'ports.json'), 'utf8'))
  }

  /** A request over HTTPS, with the CA as stage 1 has it. */
  https(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    const ca = readFileSync(join(this.dataDir, 'trust', 'ca.pem'), 'utf8')
    return ask(this.ports().https, path, { ca, headers })
  }

  /** A post over HTTPS, as an agent sends it. */
  post(path: string, body: string, agent?: Agent): Promise<Answer> {
    const ca = readFileSync(join(this.dataDir, 'trust', 'ca.pem'), 'utf8')
    return ask(this.ports().https, path, {
      ...(agent === undefined ? {} : { agent }),
      ...{ ca, method: 'POST', body },
    })
  }

  /** The manifest, verified as a node does. */
  async manifest(node: string, boot = ''): Promise<Manifest> {
    const answer = await this.https(
      `/v1/manifest?node=${node}&nonce=${nonce}${boot === '' ? '' : `&boot=${boot}`}`,
    )
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
    return openManifest(answer.body, this.#publicKey(), { nonce, node })
  }

  #publicKey(): KeyObject {
    const x = Buffer.from(readFileSync(join(this.dataDir, 'trust', 'manifest.pub'), 'utf8').trim(), 'base64')
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') }, format: 'jwk' })
  }

  #tell(): void {
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }
}
