/** The steps of `npm test` and how each one's tests are counted. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { parseFileTimes } from './file-times.js'
import type { Count, Outcome } from './report.js'

/** One command of the suite. */
export interface Step {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** It is ended after this, milliseconds. */
  readonly limitMs?: number
  /** Where it writes what each file takes (file-times.ts). */
  readonly timesFile?: string
  /** Takes the counts out of the output; `undefined`: one test, by the exit code. */
  readonly count?: (output: string) => Count
}

/** Sums the `test result: ok. 12 passed; 0 failed; 0 ignored` lines of cargo test. */
export function countCargo(output: string): Count {
  const count = { passed: 0, failed: 0, skipped: 0 }
  for (const [, passed, failed, ignored] of output.matchAll(
    /^test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/gm,
  )) {
    count.passed += Number(passed)
    count.failed += Number(failed)
    count.skipped += Number(ignored)
  }
  return count
}

/** Reads the closing lines of node's spec reporter: the last ones, whatever the tests themselves print. */
export function countNode(output: string): Count {
  const value = (name: string) =>
    Number([...output.matchAll(new RegExp(`^\\S* ?${name} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0)
  return {
    passed: value('pass'),
    failed: value('fail') + value('cancelled'),
    skipped: value('skipped') + value('todo'),
  }
}

/** Lines of a failed step that are said again at the end of the whole. */
const lastWordsMax = 100

/** What a step that failed said of its failures: from the list that its runner closes with, else its last lines. */
export function lastWords(output: string): string[] {
  const lines = output.trimEnd().split('\n')
  const list = lines.findLastIndex((line) => /^\S* ?failing tests:$/.test(line))
  // Cargo writes two: first with the output of each test, then the names alone.
  const start = list >= 0 ? list : lines.indexOf('failures:')
  return start >= 0 ? lines.slice(start, start + lastWordsMax) : lines.slice(-lastWordsMax)
}

/** What is told to end has this long for it. */
const killMs = 5000

/** Runs a step, its output passed on to `write`, and counts it. A step that dies without a count has failed. */
export async function runStep(
  step: Step,
  write: (text: string) => void = (text) => process.stdout.write(text),
): Promise<Outcome> {
  write(`\n== ${step.name}\n`)
  const started = performance.now()
  const cpuBeforeS = childrenCpuSeconds()
  const [program, ...args] = step.command
  const child = spawn(program, args, {
    cwd: step.cwd,
    env: { ...process.env, ...step.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    const decoder = new StringDecoder('utf8')
    stream.on('data', (bytes: Buffer) => {
      const text = decoder.write(bytes)
      output += text
      write(text)
    })
  }
  const limit = step.limitMs
  const timer =
    limit === undefined
      ? undefined
      : setTimeout(() => {
          write(`== ${step.name}: ended after ${limit / 1000} s\n`)
          child.kill('SIGTERM')
          setTimeout(() => {
            child.kill('SIGKILL')
            // Something that it left behind may hold them.
            child.stdout.destroy()
            child.stderr.destroy()
          }, killMs).unref()
        }, limit)
  const ok = await new Promise<boolean>((resolve) => {
    child.on('error', (error) => {
      write(`${program}: ${error.message}\n`)
      resolve(false)
    })
    child.on('close', (code) => resolve(code === 0))
  })
  clearTimeout(timer)
  const count = step.count?.(output) ?? { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
  if (ok && count.passed === 0) count.failed += 1
  if (!ok && count.failed === 0) count.failed = 1
  const seconds = (performance.now() - started) / 1000
  const cpuSeconds = childrenCpuSeconds() - cpuBeforeS
  write(`== ${step.name}: ${ok ? 'ok' : 'FAILED'} in ${seconds.toFixed(1)} s\n`)
  const files = takeFileTimes(step.timesFile)
  return { name: step.name, count, seconds, cpuSeconds, files, lastWords: ok ? [] : lastWords(output) }
}

/** Processor time of all children that have ended, and of theirs (proc_pid_stat(5): cutime, cstime). */
function childrenCpuSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

function takeFileTimes(file: string | undefined): Outcome['files'] {
  if (file === undefined || !existsSync(file)) return []
  const text = readFileSync(file, 'utf8')
  rmSync(file)
  return parseFileTimes(text)
}
