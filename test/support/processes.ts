/** The real server and real agents as child processes of a test, ended with it by their pids. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { agentPath } from '../../host/agent-binary.js'
import { hangMs } from './limits.js'
import { checkout } from './scratch.js'

/** A running daemon. */
export interface TestServer {
  readonly child: ChildProcess
  readonly dataDir: string
  readonly ports: { http: number; https: number; seeder: number; dht: number; operators: number }
  readonly url: string
  /** What it has logged so far. */
  readonly lines: readonly string[]
  /** The JSON of /v1/status. */
  status(): Promise<Record<string, unknown>>
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Ends a process by its pid and waits for it. */
export function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill(signal)
  })
}

/** Starts the daemon on free ports; resolves when it says that it is ready with a catalog. */
export async function startServer(
  t: TestContext,
  directory: string,
  flags: readonly string[] = [],
): Promise<TestServer> {
  const dataDir = join(directory, 'data')
  const free = ['http', 'https', 'seeder', 'dht', 'operators'].flatMap((name) => [`--${name}-port`, '0'])
  const child = spawn(
    process.execPath,
    [
      join(checkout, 'dist/server/main.js'),
      ...['--data-dir', dataDir, '--artifacts-dir', join(directory, 'artifacts')],
      ...[
        '--address',
        '127.0.0.1',
        '--bind',
        '127.0.0.1',
        '--log-format',
        'json',
        '--netboot-mode',
        'off',
        ...free,
        ...flags,
      ],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: directory },
  )
  t.after(() => end(child, 'SIGKILL'))
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        lines.push(line)
        if (existsSync(join(dataDir, 'run', 'ports.json')) && /"ready"|\bready\b/i.test(line)) resolve()
      })
    }
    child.once('close', (code) =>
      reject(new Error(`server ended with ${code}:\n${lines.slice(-30).join('\n')}`)),
    )
  })
  const ports = JSON.parse(readFileSync(join(dataDir, 'run', 'ports.json'), 'utf8')) as TestServer['ports']
  const server: TestServer = {
    child,
    dataDir,
    ports,
    url: `https://127.0.0.1:${ports.https}`,
    lines,
    status: () => getJson(`https://127.0.0.1:${ports.https}/v1/status`, join(dataDir, 'trust', 'ca.pem')),
    kill: (signal) => end(child, signal),
  }
  return server
}

/** Asks until the answer pleases; the daemon's own state is the only thing waited for. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = hangMs,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * Asks until the answer is this one: for what several counters say at last, which come one after the other. Fails with
 * the difference.
 */
export async function untilEqual<T>(
  what: string,
  ask: () => T | Promise<T>,
  expected: T,
  timeoutMs = hangMs,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (isDeepStrictEqual(answer, expected)) return
    if (performance.now() > deadline) assert.deepEqual(answer, expected, `${what} after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A GET over HTTPS that trusts only the site's CA. */
function getJson(url: string, caFile: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ca: readFileSync(caFile), agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      response.on('end', () => resolve(JSON.parse(body) as Record<string, unknown>))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** One line of an agent's `--json`. */
export interface AgentEvent {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A running agent. */
export interface TestAgent {
  readonly child: ChildProcess
  readonly target: string
  readonly events: readonly AgentEvent[]
  /** Its console, for messages of failed tests. */
  readonly lines: readonly string[]
  /** The first event of a type, also one that has been; fails when the agent ends without it. */
  event(type: string): Promise<AgentEvent>
  readonly exited: Promise<number | null>
}

/** Starts `bootswarm-agent boot`. */
export function startAgent(
  t: TestContext,
  options: {
    node: string
    target: string
    server: string
    trust: string
    bind?: string
    flags?: readonly string[]
    /** A command that ends by executing its arguments. */
    through?: readonly string[]
  },
): TestAgent {
  const { node, target, server, trust, bind = '127.0.0.1', flags = [], through = [] } = options
  const [command = agentPath(), ...before] = [...through, agentPath()]
  const child = spawn(
    command,
    [
      ...before,
      'boot',
      '--json',
      '--node',
      node,
      '--target',
      target,
      '--server',
      server,
      '--trust',
      trust,
      '--bind',
      bind,
      ...flags,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  t.after(() => end(child, 'SIGKILL'))
  const events: AgentEvent[] = []
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let ended = false
  const wake = () => {
    for (const look of waiting) look()
  }
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && 'type' in value) events.push(value as AgentEvent)
    wake()
  })
  createInterface(child.stderr).on('line', (line) => lines.push(line))
  const closed = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      ended = true
      wake()
      resolve(code)
    })
  })
  const event = (type: string) => {
    const happened = new Promise<AgentEvent>((resolve, reject) => {
      const look = () => {
        const found = events.find((candidate) => candidate.type === type)
        if (found) resolve(found)
        else if (ended) reject(new Error(`${node} ended without ${type}:\n${lines.slice(-20).join('\n')}`))
        else return
        waiting.delete(look)
      }
      waiting.add(look)
      look()
    })
    return within(hangMs, happened, () => stuck(child, `for ${type}`, lines))
  }
  return {
    child,
    target,
    events,
    lines,
    event,
    get exited() {
      return within(hangMs, closed, () => stuck(child, 'for its end', lines))
    },
  }
}

/** What a promise gives, or what is thrown when it has given nothing in time. */
async function within<T>(timeoutMs: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs)
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}

/** Where an agent that does not go on stands: its console, and what the kernel says of its threads. */
function stuck(child: ChildProcess, what: string, lines: readonly string[]): Error {
  const proc = `/proc/${child.pid}`
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8').trim()
    } catch (error) {
      return String(error)
    }
  }
  const threads = existsSync(`${proc}/task`) ? readdirSync(`${proc}/task`) : []
  const state = [
    `waited ${hangMs} ms ${what}; exit code ${child.exitCode}, signal ${child.signalCode}`,
    ...threads.map((id) =>
      ['comm', 'wchan', 'syscall'].map((name) => read(`${proc}/task/${id}/${name}`)).join(' '),
    ),
    ...lines.slice(-20),
  ]
  return new Error(state.join('\n'))
}

/** Resident memory of the process at its peak without the payload, which lies in memfds, MB (10^6 bytes). */
export function residentPeakMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return (Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024) / 1e6
}

/** Every process below this one. */
export function childrenOf(pid: number): number[] {
  const found: number[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (parent === pid) found.push(Number(name), ...childrenOf(Number(name)))
    } catch {
      // It ended while we looked.
    }
  }
  return found
}
