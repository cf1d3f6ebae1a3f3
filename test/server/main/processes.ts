/** The processes of a server as /proc has them, and that none of them can be root. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export const needsRoot = { skip: process.getuid?.() === 0 ? false : 'NOT TESTED: needs root' }

/** The user that is taken on this machine. */
export const user = spawnSync('id', ['-u', 'bootswarm']).status === 0 ? 'bootswarm' : 'nobody'
export const idOf = (flag: string, name: string) =>
  Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))

/** The process, its threads, its child processes and theirs. */
function processesOf(pid: number): { pid: number; name: string; status: string }[] {
  const found: { pid: number; name: string; status: string }[] = []
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const name = `${pid}/task/${task}`
    found.push({ pid, name, status: readFileSync(`/proc/${name}/status`, 'utf8') })
    const children = readFileSync(`/proc/${name}/children`, 'utf8').trim()
    for (const child of children === '' ? [] : children.split(' ')) found.push(...processesOf(Number(child)))
  }
  return found
}

/** Every process and thread is the user's and can never be root again. Gives the processes' ids. */
export function assertUnprivileged(pid: number, count: number, name = user): number[] {
  const processes = processesOf(pid)
  const [uid, gid] = [idOf('-u', name), idOf('-g', name)]
  for (const { name, status } of processes) {
    const line = (key: string) => new RegExp(`^${key}:\t(.*?)\\s*$`, 'm').exec(status)?.[1]
    assert.equal(line('Uid'), Array(4).fill(uid).join('\t'), name)
    assert.equal(line('Gid'), Array(4).fill(gid).join('\t'), name)
    assert.equal(line('Groups'), String(gid), name)
    for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
      assert.equal(line(set), '0'.repeat(16), `${name} ${set}`)
  }
  const pids = [...new Set(processes.map((process) => process.pid))]
  assert.equal(pids.length, count)
  return pids
}

/** Signals them one by one, as a service manager does; the first ones may have ended the others meanwhile. */
export function signalEach(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The limits of a running process, set by its own user: even root may not set another's everywhere. */
export function limitProcess(pid: number, ...limits: readonly string[]): void {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const id = (name: string) => Number(new RegExp(`^${name}:\\t(\\d+)`, 'm').exec(text)?.[1])
  const user = process.getuid?.() === id('Uid') ? {} : { uid: id('Uid'), gid: id('Gid') }
  execFileSync('prlimit', ['--pid', String(pid), ...limits], user)
}
