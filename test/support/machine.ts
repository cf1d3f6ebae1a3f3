/** A virtual machine of a test: QEMU without KVM, its serial console as text. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { TestContext } from 'node:test'
import { machineHangMs } from './limits.js'
import { end, until } from './processes.js'

/** What it is made of. */
export interface MachineOptions {
  /** QEMU's own arguments: network, firmware, kernel. Or the whole command as a shell takes it. */
  readonly args: readonly string[] | string
  /** What QEMU is run by, such as a command that enters a network namespace. */
  readonly command?: (...command: string[]) => readonly string[]
  /** MiB; 256 by default. */
  readonly memoryMb?: number
}

/** A machine that runs. */
export interface Machine {
  readonly child: ChildProcess
  /** Its serial console without control sequences and without the ends of lines: the console breaks long ones. */
  console(): string
  /** Waits for words on the console; fails at once when the machine ends. */
  says(what: RegExp, timeoutMs?: number): Promise<true>
  /** Types a line at its serial console. */
  types(line: string): void
}

/** Switches a machine on. It is ended with the test. */
export function startMachine(t: TestContext, options: MachineOptions): Machine {
  const [program = '', ...args] = (options.command ?? ((...words) => words))(
    // It ends with this process, also where that has no time to end it.
    ...['setpriv', '--pdeathsig', 'KILL'],
    ...qemu(options),
  )
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  t.after(() => end(child, 'SIGKILL'))
  let said = ''
  const hear = (part: Buffer) => {
    said += part.toString('latin1')
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  let closed = false
  child.once('close', () => {
    closed = true
  })
  child.stdin.on('error', () => {})
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's sequences are what is taken out
  const text = () => said.replace(/\u001b\[[0-9;?=]*[A-Za-z]|[\r\n]/g, '')
  return {
    child,
    console: text,
    types: (line) => void child.stdin.write(`${line}\n`),
    says: (what, timeoutMs = machineHangMs) =>
      until(
        `${what} on the console`,
        async () => {
          if (what.test(text())) return true
          if (closed) throw new Error(`QEMU ended with ${child.exitCode}`)
          return undefined
        },
        timeoutMs,
      ).catch((error: Error) => {
        throw new Error(`${error.message}:\n${text().slice(-3000)}`)
      }),
  }
}

function qemu({ args, memoryMb = 256 }: MachineOptions): readonly string[] {
  if (typeof args === 'string') return ['sh', '-c', `exec ${args}`]
  return [
    ...['qemu-system-x86_64', '-accel', 'tcg', '-m', `${memoryMb}`, '-smp', '1', '-nographic', '-no-reboot'],
    ...['-nodefaults'],
    ...['-serial', 'stdio'],
    ...args,
  ]
}
