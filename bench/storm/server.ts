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

const run = promisify(execFile)
const serverMain = fileURLToPath(new URL('../../server/main.js', import.meta.url))
/** As `npm start` has it. */
const tlsConfig = fileURLToPath(new URL('../../../server/process/openssl.cnf', import.meta.url))

/** The server's ports: its namespace is its own. */
export const serverUrl = `https://${SERVER_ADDRESS}:8443`

/** The figures of `/v1/status` that a storm uses. */
export interface OriginStatus {
  readonly httpsBytes: number
  readonly bittorrentBytes: number
  /** Nodes whose boot is complete. */
  readonly booted: number
  /** Announces that the tracker has answered, the first ones in manifests included. */
  readonly announces: number
}

/** The real daemon. */
export interface StormServer {
  readonly trustDir: string
  /** Asks from within its namespace. */
  status(): Promise<OriginStatus>
  /** The swarm's name of the artifact, and the path of its bytes over HTTPS. */
  artifact(): Promise<{ infohash: string; path: string }>
  kill(): Promise<void>
  /** Kills it without a warning, then starts it again with the same data. */
  restart(): Promise<void>
  /** Peak memory of the daemon, MB; processor time of it and its children, seconds. */
  cost(): { cpuSeconds: number }
}

/** Starts the daemon; resolves when its catalog is published. */
export async function startServer(directory: string, plan: Plan): Promise<StormServer> {
  const dataDir = join(directory, 'data')
  const config = join(directory, 'bootswarm.yaml')
  writeFileSync(config, rackConfig(plan))
  let child = await launch(directory, dataDir, config, plan)
  const curl = async (path: string): Promise<Record<string, unknown>> => {
    const trust = ['--silent', '--fail', '--max-time', '60', '--cacert', join(dataDir, 'trust', 'ca.pem')]
    const [program, args] = inside(plan.serverNamespace, ['curl', ...trust, `${serverUrl}${path}`])
    const { stdout } = await run(program, args)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  await published(curl)
  return {
    trustDir: join(dataDir, 'trust'),
    status: async () => {
      const { origin, nodes, tracker } = (await curl('/v1/status')) as Record<string, Record<string, number>>
      return {
        httpsBytes: origin?.https_bytes ?? 0,
        bittorrentBytes: origin?.bittorrent_bytes ?? 0,
        booted: nodes?.booted ?? 0,
        announces: tracker?.announces ?? 0,
      }
    },
    artifact: async () => {
      const { artifacts } = (await curl('/v1/status')) as { artifacts: Record<string, string>[] }
      const { infohash = '', sha256, name } = artifacts[0] ?? {}
      return { infohash, path: `/v1/artifacts/${sha256}/${name}` }
    },
    kill: () => stop(child),
    restart: async () => {
      await stop(child)
      child = await launch(directory, dataDir, config, plan)
    },
    cost: () => ({ cpuSeconds: treeCpuSeconds(child.pid ?? 0) }),
  }
}

/** Asks until there is something to boot. */
async function published(curl: (path: string) => Promise<Record<string, unknown>>): Promise<void> {
  const deadlineMs = performance.now() + hangMs
  for (;;) {
    const { artifacts } = (await curl('/v1/status')) as { artifacts: unknown[] }
    if (artifacts.length > 0) return
    if (performance.now() > deadlineMs) {
      throw new BootswarmError(
        'STORM_FAILED',
        `the server did not publish the payload within ${hangMs / 1000} s`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function launch(directory: string, dataDir: string, config: string, plan: Plan): Promise<ChildProcess> {
  const flags = ['--config', config, '--data-dir', dataDir, '--artifacts-dir', join(directory, 'artifacts')]
  const addresses = [
    '--address',
    SERVER_ADDRESS,
    '--bind',
    '0.0.0.0',
    '--log-format',
    'json',
    '--netboot-mode',
    'off',
  ]
  // The bench needs root in any case, and lies in a directory that is closed to others.
  addresses.push('--user', 'root')
  const node = [process.execPath, `--openssl-config=${tlsConfig}`, serverMain]
  const [program, args] = insideServer(plan.serverNamespace, [...node, ...flags, ...addresses])
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

/** Processor time of a process and all its descendants, seconds. */
export function treeCpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const own = (Number(fields[11]) + Number(fields[12])) / 100
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children.split(' ').reduce((sum, child) => sum + (child ? treeCpuSeconds(Number(child)) : 0), own)
  } catch {
    return 0
  }
}
