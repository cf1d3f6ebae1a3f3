/**
 * The measurements of `npm run bench:operators`: a real server whose nodes have reported many boots, and how long it takes to answer an
 * operator, over the Unix socket.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { withSocketPath } from '../../host/unix-socket.js'
import { median, startService, stop } from '../agent/measure.js'
import type { Undo } from '../storm/undo.js'

/** How much to measure. */
export interface OperatorBenchOptions {
  readonly nodes: number
  /** Of all nodes together, in turn. Each tenth fails. */
  readonly boots: number
  /** Requests of each kind. */
  readonly requests: number
  /** Where the server keeps its data. */
  readonly directory: string
  readonly log: (line: string) => void
}

/** One kind of request. */
export interface OperatorBenchRow {
  readonly what: string
  readonly medianMs: number
  readonly maxMs: number
  /** Of one answer, the largest. */
  readonly bytes: number
}

const checkout = fileURLToPath(new URL('../../..', import.meta.url))
/** Nodes that report at the same time. */
const reporters = 16

/** Makes the farm's history, then asks. */
export async function runOperatorBench(
  options: OperatorBenchOptions,
  undo: Undo,
): Promise<OperatorBenchRow[]> {
  const directory = mkdtempSync(join(options.directory, `bwoperators-${process.pid}-`))
  const end = () => rmSync(directory, { recursive: true, force: true })
  undo.add(end)
  try {
    for (const name of ['rootfs', 'plugins', 'boot'])
      mkdirSync(join(directory, 'artifacts', name), { recursive: true })
    const dataDir = join(directory, 'data')
    const child = await startServer(directory, dataDir)
    try {
      await report(dataDir, options)
      return await measure(dataDir, options)
    } finally {
      await stop(child)
    }
  } finally {
    end()
  }
}

function startServer(directory: string, dataDir: string) {
  const config = join(directory, 'bootswarm.yaml')
  const ports = ['http', 'https', 'seeder', 'operators'].map((name) => `${name}: {port: 0}`)
  writeFileSync(
    config,
    [...ports, 'dht: {enabled: false}', 'lsd: {enabled: false}', 'netboot: {mode: off}', ''].join('\n'),
  )
  const places = ['--config', config, '--data-dir', dataDir, '--artifacts-dir', join(directory, 'artifacts')]
  const user = process.getuid?.() === 0 ? ['--user', 'root'] : []
  const openssl = `--openssl-config=${join(checkout, 'server/process/openssl.cnf')}`
  const flags = [...places, '--address', '127.0.0.1', '--log-format', 'json', ...user]
  return startService(
    process.execPath,
    [openssl, join(checkout, 'dist/server/main.js'), ...flags],
    /"server\.ready"/,
  )
}

/** All boots, as agents report them. */
async function report(dataDir: string, { nodes, boots, log }: OperatorBenchOptions): Promise<void> {
  const { https } = JSON.parse(readFileSync(join(dataDir, 'run', 'ports.json'), 'utf8')) as { https: number }
  const agent = new Agent({ keepAlive: true, ca: readFileSync(join(dataDir, 'trust', 'ca.pem')) })
  const startedMs = performance.now()
  let next = 0
  const reporter = async () => {
    for (let boot = next++; boot < boots; boot = next++)
      await post(agent, https, nameOf(boot % nodes), eventsOf(boot))
  }
  await Promise.all(Array.from({ length: reporters }, reporter))
  agent.destroy()
  log(`${boots} boots of ${nodes} nodes reported in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
}

function nameOf(node: number): string {
  return `rig${String(node + 1).padStart(4, '0')}`
}

/** The events of one boot. */
function eventsOf(boot: number): string {
  const sources = { from_peers_bytes: 100_000_000, from_origin_bytes: 100_000 }
  const progress = Array.from({ length: 5 }, (_, n) => [
    ...['progress', { done_bytes: n, total_bytes: 9, peers: 20, ...sources }],
  ])
  const isFailed = boot % 10 === 9
  const events = [
    ['boot.started', { agent: '0.1.0', mem_total_bytes: 8_000_000_000 }],
    ['manifest.verified', { version: 1, artifacts: 1 }],
    ['artifact.started', { name: 'root', size_bytes: 130_000_000 }],
    ...progress,
    ['artifact.downloaded', { name: 'root', duplicate_bytes: 0, seconds: 10, ...sources }],
    ...(isFailed
      ? [['boot.failed', { code: 'MEMORY_SHORT', message: 'the root does not fit', retry_in_s: 15 }]]
      : [
          ['artifact.unpacked', { name: 'root', entries: 30_000 }],
          ['boot.completed', { seconds: 12, version: 1, ...sources }],
        ]),
  ]
  const id = boot.toString(16).padStart(16, '0')
  return JSON.stringify(events.map(([type, data], seq) => ({ boot: id, seq, t_ms: seq * 1000, type, data })))
}

/** Sends a report, again where the server asks for that. */
async function post(agent: Agent, port: number, node: string, body: string): Promise<void> {
  for (;;) {
    const { status, waitS } = await new Promise<{ status: number; waitS: number }>((resolve, reject) => {
      const headers = { 'content-length': Buffer.byteLength(body) }
      const path = `/v1/nodes/${node}/events`
      const asked = httpsRequest(
        { host: '127.0.0.1', port, path, method: 'POST', headers, agent },
        (answer) => {
          answer
            .resume()
            .on('end', () =>
              resolve({ status: answer.statusCode ?? 0, waitS: Number(answer.headers['retry-after'] ?? 1) }),
            )
        },
      )
      asked.on('error', reject)
      asked.end(body)
    })
    if (status < 300) return
    if (status !== 429 && status !== 503) throw new Error(`${status} for a report of ${node}`)
    await pause(waitS * 1000)
  }
}

/** Asks for each kind in turn, for other nodes each time. */
async function measure(
  dataDir: string,
  { nodes, requests }: OperatorBenchOptions,
): Promise<OperatorBenchRow[]> {
  const kinds: readonly [string, (node: string) => string][] = [
    ['node list', () => '/nodes?limit=1000'],
    ['node list --where cause=AGENT_FAILED', () => '/nodes?limit=1000&cause=AGENT_FAILED'],
    ['node show', (node) => `/nodes/${node}`],
    ['what it gets', (node) => `/nodes/${node}/config`],
    ['node why', (node) => `/nodes/${node}/why`],
    ['node events of one', (node) => `/nodes/${node}/events?limit=1000`],
    ['node events of all', () => '/events?limit=1000'],
    ['node events --type boot.failed', () => '/events?limit=1000&type=boot.failed'],
    ['status', () => '/status'],
  ]
  const samples = kinds.map(([what, pathOf]) => ({ what, pathOf, ms: [] as number[], bytes: 0 }))
  for (let n = 0; n < requests; n += 1) {
    for (const sample of samples) {
      const startedMs = performance.now()
      const bytes = await get(dataDir, `/api/v1${sample.pathOf(nameOf((n * 37) % nodes))}`)
      sample.ms.push(performance.now() - startedMs)
      sample.bytes = Math.max(sample.bytes, bytes)
    }
  }
  return samples.map(({ what, ms, bytes }) => ({
    ...{ what, medianMs: median(ms), maxMs: Math.max(...ms), bytes },
  }))
}

/** The length of an answer. */
function get(dataDir: string, path: string): Promise<number> {
  return withSocketPath(
    join(dataDir, 'operators.sock'),
    (socketPath) =>
      new Promise((resolve, reject) => {
        const asked = httpRequest({ socketPath, path, agent: false }, (answer) => {
          let bytes = 0
          answer.on('data', (part: Buffer) => {
            bytes += part.length
          })
          answer.on('end', () => {
            if (answer.statusCode === 200) resolve(bytes)
            else reject(new Error(`${answer.statusCode} for ${path}`))
          })
        })
        asked.on('error', reject)
        asked.end()
      }),
  )
}
