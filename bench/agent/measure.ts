/** Runs one program and measures it by the kernel's figures: wall time, processor time, peak memory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

/** What one run cost. */
export interface Cost {
  readonly seconds: number
  readonly cpuSeconds: number
  /** Highest resident set, MB (10^6 bytes). */
  readonly peakMb: number
}

/** What takes this long hangs, and is ended: a transfer of the bench takes seconds, of slow clients a minute. */
export const hangMs = 600_000

/** Clock ticks of /proc/PID/stat in a second (fixed on Linux). */
const ticksPerSecond = 100

/** User and system time of a process that runs, seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Peak resident memory of a process that runs, MB. */
export function peakMb(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return (Number(match?.[1] ?? 0) * 1024) / 1e6
}

/** Runs a program to its end under GNU time; rejects with the end of its output when it fails or hangs. */
export function runMeasured(program: string, args: readonly string[], limitMs = hangMs): Promise<Cost> {
  return new Promise((resolve, reject) => {
    // A group of its own: GNU time would leave the program behind.
    const child = spawn('/usr/bin/time', ['-f', 'cost %e %U %S %M', program, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    })
    let hangs = false
    const limit = setTimeout(() => {
      hangs = true
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, limitMs)
    let output = ''
    child.stderr.on('data', (bytes: Buffer) => {
      output = (output + bytes.toString()).slice(-65536)
    })
    child.on('error', (error) => {
      clearTimeout(limit)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(limit)
      if (hangs) return reject(new Error(`${program} was not done after ${limitMs / 1000} s`))
      const match = /cost ([\d.]+) ([\d.]+) ([\d.]+) (\d+)\s*$/.exec(output)
      if (code !== 0 || !match)
        return reject(new Error(`${program} ended with ${code}: ${lastWords(output)}`))
      const [seconds = 0, user = 0, system = 0, kilobytes = 0] = match.slice(1).map(Number)
      resolve({ seconds, cpuSeconds: user + system, peakMb: (kilobytes * 1024) / 1e6 })
    })
  })
}

/** The end of a program's output, without the lines of GNU time. */
function lastWords(output: string): string {
  return output
    .replace(/^(Command exited with non-zero status.*|cost [\d. ]+)$/gm, '')
    .trim()
    .slice(-2000)
}

/** Starts a program that says it is ready by a line that matches. */
export function startService(
  program: string,
  args: readonly string[],
  ready: Pick<RegExp, 'test'>,
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const see = (line: string) => {
      output = `${output}${line}\n`.slice(-8192)
      if (ready.test(line)) resolve(child)
    }
    createInterface(child.stdout).on('line', see)
    createInterface(child.stderr).on('line', see)
    child.on('error', reject)
    child.on('close', (code) => reject(new Error(`${program} ended with ${code}: ${output}`)))
  })
}

/** Ends a process by its pid and waits for it. */
export function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** A TCP port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}
