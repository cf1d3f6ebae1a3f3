/** The real server of a storm, in its namespace. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BootswarmError } from '../../src/errors.js'
import { hangMs, stop } from '../agent/measure.js'
import { inside, insideServer } from './network.js'
import { type Plan, rackConfig, SERVER_ADDRESS } from './plan.js'
import { treeCpuSeconds } from './process-tree.js'

const run = promisify(execFile)
const serverMain = fileURLToPath(new URL('../../server/main.js', import.meta.url))
/** As `npm start` has it. */
const tlsConfig = fileURLToPath(new URL('../../../server/process/openssl.cnf', import.meta.url))

/** Of the log of a server that ended. */
const lastBytes = 2000

/** The server's ports: its namespace is its own. */
export const serverUrl = `https://${SERVER_ADDRESS}:8443`

/** The figures of `/v1/status` that a storm uses. */
export interface OriginStatus {
  readonly httpsBytes: number
  readonly bittorrentBytes: number
  /** Artifact streams over HTTPS that run now. */
  readonly streams: number
  /** Nodes whose boot is complete. */
  readonly booted: number
  /** Announces that the tracker has answered, the first ones in manifests included. */
  readonly announces: number
}

/** How a server differs from that of a storm. */
export interface ServerOptions {
  /** More of its configuration; without any of `netboot` there is no network boot. */
  readonly config?: { readonly netboot?: object }
  /** A command that ends by executing its arguments: the server is started through it. */
  readonly through?: readonly string[]
  /** So many artifacts are to be published before it counts as started (1). */
  readonly artifacts?: number
  /** Where those find its trust files who do not see its data directory. */
  readonly trustDir?: string
}

/** The real daemon. */
export interface StormServer {
  readonly trustDir: string
  /** Of the daemon. */
  pid(): number
  /** How it ended, with the last that it said; undefined as long as it runs. */
  ended(): string | undefined
  /** Asks from within its namespace. */
  status(): Promise<OriginStatus>
  /** The swarm's name of the artifact, and the path of its bytes over HTTPS. */
  artifact(): Promise<{ infohash: string; path: string }>
  kill(): Promise<void>
  /** Kills it without a warning, then starts it again with the same data. */
  restart(): Promise<void>
  /** Processor time of it and its children, seconds. */
  cost(): { cpuSeconds: number }
}

/** Starts the daemon; resolves when its catalog is published. */
export async function startServer(
  directory: string,
  plan: Plan,
  options: ServerOptions = {},
): Promise<StormServer> {
  const config = join(directory, 'bootswarm.yaml')
  writeFileSync(config, JSON.stringify({ netboot: { mode: 'off' }, ...rackConfig(plan), ...options.config }))
  const launch = () => launchServer(directory, config, plan, options.through ?? [])
  let child = await launch()
  const trustDir = options.trustDir ?? join(directory, 'data', 'trust')
  const curl = async (path: string): Promise<Record<string, unknown>> => {
    const trust = ['--silent', '--fail', '--max-time', '60', '--cacert', join(trustDir, 'ca.pem')]
    const [program, args] = inside(plan.serverNamespace, ['curl', ...trust, `${serverUrl}${path}`])
    const { stdout } = await run(program, args)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  await published(curl, options.artifacts ?? 1)
  return {
    trustDir,
    pid: () => child.pid ?? 0,
    ended: () => {
      if (child.exitCode === null && child.signalCode === null) return undefined
      return `${child.signalCode ?? `exit code ${child.exitCode}`}: ${lastOf(directory)}`
    },
    status: async () => {
      const { origin, nodes, tracker } = (await curl('/v1/status')) as Record<string, Record<string, number>>
      return {
        httpsBytes: origin?.https_bytes ?? 0,
        bittorrentBytes: origin?.bittorrent_bytes ?? 0,
        streams: origin?.streams ?? 0,
        booted: nodes?.booted ?? 0,
        announces: tracker?.announces ?? 0,
      }
    },
    artifact: async () => {
      const { artifacts } = (await curl('/v1/status')) as { artifacts: Record<string, string>[] }
      const { infohash = '', sha256, name } = artifacts.find(({ kind }) => kind === 'rootfs') ?? {}
      return { infohash, path: `/v1/artifacts/${sha256}/${name}` }
    },
    kill: () => stop(child),
    restart: async () => {
      await stop(child)
      child = await launch()
    },
    cost: () => ({ cpuSeconds: treeCpuSeconds(child.pid ?? 0) }),
  }
}

/** Asks until there is something to boot. */
async function published(
  curl: (path: string) => Promise<Record<string, unknown>>,
  expected: number,
): Promise<void> {
  const deadlineMs = performance.now() + hangMs
  for (;;) {
    const { artifacts } = (await curl('/v1/status')) as { artifacts: unknown[] }
    if (artifacts.length >= expected) return
    if (performance.now() > deadlineMs) {
      throw new BootswarmError(
        'STORM_FAILED',
        `the server did not publish the payload within ${hangMs / 1000} s`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The end of its log. */
function lastOf(directory: string): string {
  return readFileSync(join(directory, 'server.log'), 'utf8').slice(-lastBytes)
}

async function launchServer(
  directory: string,
  config: string,
  plan: Plan,
  through: readonly string[],
): Promise<ChildProcess> {
  const flags = [
    ...['--config', config, '--data-dir', join(directory, 'data')],
    ...['--artifacts-dir', join(directory, 'artifacts')],
    ...['--address', SERVER_ADDRESS, '--bind', '0.0.0.0', '--log-format', 'json'],
    // The bench needs root in any case, and lies in a directory that is closed to others.
    ...['--user', 'root'],
  ]
  const node = [process.execPath, `--openssl-config=${tlsConfig}`, serverMain]
  const [program, args] = insideServer(plan.serverNamespace, [...through, ...node, ...flags])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: directory })
  const log = createWriteStream(join(directory, 'server.log'), { flags: 'a' })
  const last: string[] = []
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        log.write(`${line}\n`)
        last.push(line)
        if (last.length > 20) last.shift()
        if (line.includes('"server.ready"')) resolve()
      })
    }
    child.once('error', reject)
    child.once('close', (code) =>
      reject(new BootswarmError('STORM_FAILED', `the server ended with ${code}: ${last.join('\n')}`)),
    )
  })
  return child
}
