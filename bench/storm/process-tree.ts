/** A process with all that it has started, as /proc shows them. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpuSeconds } from '../agent/measure.js'

/** The process and its descendants, itself first; those that have ended are left out. */
export function processTree(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(processTree)]
  } catch {
    return []
  }
}

/** Processor time of a process and all its descendants, seconds. */
export function treeCpuSeconds(pid: number): number {
  return processTree(pid).reduce((sum, each) => {
    try {
      return sum + cpuSeconds(each)
    } catch {
      return sum // it has just ended
    }
  }, 0)
}

/** What a process was started as; empty for one that has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
