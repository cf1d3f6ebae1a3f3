/**
 * A network of a test's own: a namespace for the server, with a bridge on which every client namespace has an `eth0`.
 * Needs root; goes away with the test, with all that runs in it: also when the test's process is interrupted, and at the
 * latest when the next one makes a network.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import type { TestContext } from 'node:test'
import { hangMs } from './limits.js'

let made = 0
const prefix = 'bswire'
const live = new Set<Wire>()

/** Ends what runs in a namespace, by its ids, and the namespace. */
function endNamespace(name: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
  for (const pid of (stdout ?? '').split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
}

/** Once for each process: what others have left behind that were killed, and what to do when this one is ended. */
function prepare(): void {
  const names = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split(/\s+/)
  for (const name of names) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) endNamespace(name)
  }
  process.once('exit', () => {
    for (const wire of live) wire.end()
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  }
}

/** The network. */
export class Wire {
  readonly #prefix: string
  readonly #names: string[] = []

  private constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Makes it with the server's address on the bridge `lan0`; undefined without root. */
  static make(t: TestContext, address = '10.77.0.1/24'): Wire | undefined {
    if (process.getuid?.() !== 0) return undefined
    if (made === 0) prepare()
    const wire = new Wire(`${prefix}${process.pid}-${made++}`)
    live.add(wire)
    t.after(() => wire.end())
    wire.#add('server')
    wire.server('ip', 'link', 'add', 'lan0', 'type', 'bridge', 'forward_delay', '0')
    wire.server('ip', 'link', 'set', 'lan0', 'up')
    wire.server('ip', 'address', 'add', address, 'dev', 'lan0')
    return wire
  }

  /** Takes it away. */
  end(): void {
    live.delete(this)
    for (const name of this.#names.splice(0)) endNamespace(name)
  }

  /** Adds a machine on the bridge, or on a link of its own that is `port` of the server or of another machine. */
  client(name: string, mac: string, port?: string, of = 'server'): string {
    const namespace = this.#add(name)
    const end = port ?? `p-${name}`
    const link = ['link', 'add', 'name', end, 'type', 'veth', 'peer', 'name', 'eth0']
    this.run(of, 'ip', ...link, 'address', mac, 'netns', namespace)
    if (port === undefined) this.server('ip', 'link', 'set', end, 'master', 'lan0')
    this.run(of, 'ip', 'link', 'set', end, 'up')
    this.run(name, 'ip', 'link', 'set', 'eth0', 'up')
    return namespace
  }

  /** Adds a machine without any card; the name of its namespace. */
  bare(name: string): string {
    return this.#add(name)
  }

  /** Runs a command to its end in the server's namespace. */
  server(...command: string[]): string {
    return this.run('server', ...command)
  }

  /** Runs a command to its end in a namespace; its standard output. */
  run(name: string, ...command: string[]): string {
    const [program = '', ...args] = this.command(name, ...command)
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: hangMs,
    })
  }

  /** The command line that runs a command in a namespace. */
  command(name: string, ...command: string[]): string[] {
    return ['nsenter', `--net=/run/netns/${this.#prefix}-${name}`, '--', ...command]
  }

  #add(name: string): string {
    const namespace = `${this.#prefix}-${name}`
    execFileSync('ip', ['netns', 'add', namespace])
    this.#names.push(namespace)
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
    return namespace
  }
}
