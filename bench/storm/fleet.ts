/** Hundreds of processes that wait at a barrier, start at the same moment, and are followed to their end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { inside } from './network.js'
import type { Host } from './plan.js'

/** A process to run on a host. */
export interface Member {
  readonly host: Host
  readonly command: readonly string[]
  /** Seconds after the common start. */
  readonly startS: number
}

/** A process, before or after its start. */
export interface Running {
  readonly member: Member
  readonly child: ChildProcess
}

/** A fleet's reports. Times are milliseconds since the common start. */
export interface FleetEvents {
  line(member: Member, line: string, atMs: number): void
  exit(member: Member, code: number | null, atMs: number): void
}

/** All processes of a contestant. */
export interface Fleet {
  readonly running: readonly Running[]
  /** Opens the barrier: all start together. */
  open(): void
  /** Milliseconds since then. */
  nowMs(): number
  /** Ends all, and waits for it. */
  end(): Promise<void>
}

/**
 * Starts the processes up to the barrier: each is a shell in its namespace that waits for a FIFO to be closed and then
 * becomes the program, so that 500 starts cost the storm one `exec` each.
 * Standard error of all goes to `logFile`.
 */
export async function startFleet(
  members: readonly Member[],
  directory: string,
  logFile: string,
  events: FleetEvents,
): Promise<Fleet> {
  const barrier = join(directory, `barrier-${Math.random().toString(36).slice(2)}`)
  execFileSync('mkfifo', [barrier])
  const log = openSync(logFile, 'a')
  const running: Running[] = []
  let openedMs = 0
  const nowMs = () => performance.now() - openedMs
  const waiting = members.map((member) => {
    const sleep = member.startS > 0 ? `sleep ${member.startS.toFixed(3)}; ` : ''
    const script = `echo; read _ < ${barrier}; ${sleep}exec "$@"`
    const [program, args] = inside(member.host.namespace, ['sh', '-c', script, 'sh', ...member.command])
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', log], cwd: directory })
    running.push({ member, child })
    return new Promise<void>((resolve, reject) => {
      let rest = ''
      let waits = true
      child.stdout?.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n')
        rest = lines.pop() ?? ''
        if (waits) {
          waits = false
          lines.shift()
          resolve()
        }
        for (const line of lines) events.line(member, line, nowMs())
      })
      child.once('error', reject)
      child.once('close', (code) => {
        resolve()
        events.exit(member, code, nowMs())
      })
    })
  })
  await Promise.all(waiting)
  closeSync(log)
  return {
    running,
    nowMs,
    open: () => {
      const writer = openSync(barrier, 'w')
      openedMs = performance.now()
      closeSync(writer)
      rmSync(barrier)
    },
    end: async () => {
      await Promise.all(running.map(({ child }) => kill(child)))
      rmSync(barrier, { force: true })
    },
  }
}

function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
