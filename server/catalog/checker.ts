/**
 * Asks the agent's executable whether nodes could unpack an archive (docs/agent-cli.md, `check`): the code that nodes
 * run, in a process of its own with little memory. Reads whole archives, so one at a time and with low priority.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { isShortage } from '../../src/errors.js'
import type { ArtifactFormat } from '../../src/manifest-types.js'
import type { CatalogKind } from './names.js'

/** The agent's verdict on an archive. */
export type CheckResult =
  | { readonly kind: 'unpacks'; readonly format: ArtifactFormat }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** Nothing is known of the archive: it could not be read, or the check did not come to its end. */
  | { readonly kind: 'unfinished'; readonly message: string }
  /** There is no agent that could be asked, and why. */
  | { readonly kind: 'no agent'; readonly message: string }

/** How to ask. */
export interface CheckerOptions {
  /** The executable; it may be missing. */
  readonly agent: string
  /** Programs that the site's kernel command lines name with `init=`. */
  readonly inits: () => readonly string[]
}

/** Address space of the process: the agent takes at most 270 MB, and mappings count too. */
const memoryKib = 1024 * 1024
/** A check that takes longer than this hangs: ten minutes, and a second for each of these bytes. */
const hangMs = 600_000
const hangBytesPerSecond = 1_000_000
/** More on its standard output is no answer. */
const answerBytesMax = 1024 * 1024

/** Runs checks. */
export class Checker {
  readonly #options: CheckerOptions
  readonly #running = new Set<ChildProcess>()
  #stopped = false

  constructor(options: CheckerOptions) {
    this.#options = options
  }

  /** Tells one executable from another: what one has found another may see otherwise. Undefined: there is none. */
  get id(): string | undefined {
    try {
      const { size, mtimeNs, ino } = statSync(this.#options.agent, { bigint: true })
      return `${size}-${mtimeNs}-${ino} ${this.#options.inits().join(' ')}`
    } catch {
      return undefined
    }
  }

  /** Asks about the file at `path`, called `name`. */
  async check(path: string, kind: CatalogKind, name: string, sizeBytes: number): Promise<CheckResult> {
    const inits = kind === 'rootfs' ? this.#options.inits() : []
    // The last one that is refused for its init decides.
    for (const init of inits) {
      const result = await this.#ask(path, kind, name, sizeBytes, init)
      if (result.kind !== 'refused' || result.code !== 'ROOT_NO_INIT') return result
    }
    return this.#ask(path, kind, name, sizeBytes)
  }

  /** Ends all checks, which then are `unfinished`. */
  stop(): void {
    this.#stopped = true
    for (const child of this.#running) child.kill('SIGKILL')
  }

  #ask(
    path: string,
    kind: CatalogKind,
    name: string,
    sizeBytes: number,
    init?: string,
  ): Promise<CheckResult> {
    if (this.#stopped) return Promise.resolve(unfinished('the server is stopping'))
    const { agent } = this.#options
    // The shells of Debian and busybox know -v.
    const limited = ['-c', `ulimit -v ${memoryKib} 2>/dev/null || :; exec "$0" "$@"`, agent, 'check', path]
    const flags = ['--kind', kind, '--name', name, ...(init === undefined ? [] : ['--init', init])]
    return new Promise((resolve) => {
      const child = spawn('/bin/sh', [...limited, ...flags], { stdio: ['ignore', 'pipe', 'ignore'], env: {} })
      this.#running.add(child)
      lowerPriority(child)
      let hangs = false
      const timer = setTimeout(
        () => {
          hangs = true
          child.kill('SIGKILL')
        },
        hangMs + (sizeBytes / hangBytesPerSecond) * 1000,
      )
      timer.unref()
      const parts: Buffer[] = []
      let bytes = 0
      // Missing where the process could not be started.
      child.stdout?.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes <= answerBytesMax) parts.push(part)
      })
      const end = (result: CheckResult) => {
        clearTimeout(timer)
        this.#running.delete(child)
        resolve(result)
      }
      child.on('error', (error) => {
        // A machine that is short of descriptors says nothing of the agent: unchecked archives must not pass for that.
        end(isShortage(error) ? unfinished(error.message) : { kind: 'no agent', message: error.message })
      })
      child.on('close', (code, signal) => {
        if (hangs) return end(unfinished('it does not come to an end'))
        if (code === null) return end(unfinished(`it ended with ${signal}`))
        end(readAnswer(code, Buffer.concat(parts).toString('utf8')))
      })
    })
  }
}

/** Understands the exit code and the line of JSON. */
export function readAnswer(code: number, stdout: string): CheckResult {
  // 126 and 127 are the shell's: it cannot be executed. 2: it knows no such command, or `--init` not yet.
  if (code === 126 || code === 127) return { kind: 'no agent', message: 'it cannot be executed here' }
  if (code === 2) return { kind: 'no agent', message: 'it is of an older release and cannot check archives' }
  const answer = parse(stdout)
  const text = (key: string) => (typeof answer[key] === 'string' ? answer[key] : '')
  if (code === 0 && answer.ok === true) {
    const format = formats.find((known) => known === answer.format)
    if (format !== undefined) return { kind: 'unpacks', format }
  }
  if (code === 1 && answer.ok === false && text('code') !== '') {
    return { kind: 'refused', code: text('code'), message: text('message') }
  }
  return unfinished(
    code === 3 && text('message') !== '' ? text('message') : `it ended with exit code ${code}`,
  )
}

const formats: readonly ArtifactFormat[] = ['tar', 'cpio', 'squashfs']

function parse(stdout: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(stdout)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function unfinished(message: string): CheckResult {
  return { kind: 'unfinished', message }
}

/** Nodes that boot come first. It may have ended already. */
function lowerPriority({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It runs as quickly as the rest, then.
  }
}
