/** Starts the demo's agents, two to four racks of them on loopback addresses, and follows their boots. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** How one node's boot went. */
export interface DemoNode {
  readonly id: string
  readonly booted: boolean
  readonly seconds: number
  readonly fromPeersBytes: number
  readonly fromOriginBytes: number
  /** Why it did not boot, else empty. */
  readonly reason: string
}

/** What a demo's agents need to know. */
export interface DemoNodesOptions {
  readonly agent: string
  readonly count: number
  readonly directory: string
  readonly trustDir: string
  readonly serverUrl: string
  /** Longest time for one boot. */
  readonly timeoutMs: number
  readonly onNode: (node: DemoNode) => void
}

/** The running agents: `results` when every one has booted or failed, `stop` ends those that seed on. */
export interface DemoNodes {
  readonly results: Promise<DemoNode[]>
  stop(): Promise<void>
}

/** Node N's address: racks of four, each a /24 of loopback, so that the server sees racks. */
function addressOf(index: number): string {
  return `127.0.${1 + Math.floor(index / 4)}.${1 + (index % 4)}`
}

/** Starts `count` agents at once, as a farm after a power cut. */
export async function startDemoNodes(options: DemoNodesOptions): Promise<DemoNodes> {
  const children: ChildProcess[] = []
  const results: Promise<DemoNode>[] = []
  const nodesDir = join(options.directory, 'nodes')
  await rm(nodesDir, { recursive: true, force: true })
  for (let index = 0; index < options.count; index += 1) {
    const id = `demo-${String(index + 1).padStart(2, '0')}`
    const target = join(nodesDir, id)
    await mkdir(target, { recursive: true })
    const flags = [
      '--server',
      options.serverUrl,
      '--trust',
      options.trustDir,
      '--node',
      id,
      '--target',
      target,
    ]
    const child = spawn(options.agent, ['boot', ...flags, '--bind', addressOf(index), '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    results.push(follow(child, id, options))
  }
  return {
    results: Promise.all(results),
    stop: async () => {
      await Promise.all(children.map(end))
    },
  }
}

function follow(child: ChildProcess, id: string, options: DemoNodesOptions): Promise<DemoNode> {
  return new Promise((resolve) => {
    const started = performance.now()
    let reason = 'the agent ended without an error message'
    const finish = (node: Omit<DemoNode, 'id'>) => {
      clearTimeout(timer)
      const result = { id, ...node }
      options.onNode(result)
      resolve(result)
    }
    const failed = (why: string): Omit<DemoNode, 'id'> => {
      const seconds = (performance.now() - started) / 1000
      return { booted: false, seconds, fromPeersBytes: 0, fromOriginBytes: 0, reason: why }
    }
    const timer = setTimeout(
      () => finish(failed(`not booted after ${options.timeoutMs / 1000} s`)),
      options.timeoutMs,
    )
    child.once('error', (error) => finish(failed(error.message)))
    child.once('close', () => finish(failed(reason)))
    if (child.stderr) createInterface(child.stderr).on('line', (line) => (reason = line))
    if (!child.stdout) return
    createInterface(child.stdout).on('line', (line) => {
      const event = parseEvent(line)
      if (event?.type === 'boot.failed') reason = `${event.data.code}: ${event.data.message}`
      if (event?.type !== 'boot.completed') return
      child.removeAllListeners('close')
      finish({
        booted: true,
        seconds: Number(event.data.seconds),
        fromPeersBytes: Number(event.data.from_peers_bytes),
        fromOriginBytes: Number(event.data.from_origin_bytes),
        reason: '',
      })
    })
  })
}

interface AgentEvent {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

function parseEvent(line: string): AgentEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('type' in value) || !('data' in value))
      return undefined
    const { type, data } = value
    if (typeof type !== 'string' || typeof data !== 'object' || data === null) return undefined
    return { type, data: data as Record<string, unknown> }
  } catch {
    return undefined
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve()
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), 3000)
    child.once('exit', () => {
      clearTimeout(force)
      resolve()
    })
    child.kill('SIGTERM')
  })
}
