/**
 * The queue between two network namespaces, which all links of a storm share: a frame that crosses a veth pair waits
 * there for a processor, and frames beyond its 1,000 are lost without being counted at any link. Two busy
 * processors lost every fourteenth frame of 500 nodes there, which no switch of a real farm does.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const LIMIT_FILE = '/proc/sys/net/core/netdev_max_backlog'
const STAT_FILE = '/proc/net/softnet_stat'
/** Enough for half a second of all nodes' frames. */
const BACKLOG_FRAMES = 100_000

/** Widens it; the result undoes that. Where it cannot be set (a container), losses show in the result. */
export function widenBacklog(): () => void {
  try {
    const before = readFileSync(LIMIT_FILE, 'utf8').trim()
    if (Number(before) >= BACKLOG_FRAMES) return () => {}
    writeFileSync(LIMIT_FILE, `${BACKLOG_FRAMES}\n`)
    return () => writeFileSync(LIMIT_FILE, `${before}\n`)
  } catch {
    return () => {}
  }
}

/** Frames lost there since the machine started, on all processors; 0 where the kernel does not tell. */
export function backlogDrops(): number {
  try {
    return parseDrops(readFileSync(STAT_FILE, 'utf8'))
  } catch {
    return 0
  }
}

/** One line a processor, hexadecimal columns; the second one counts what was dropped. */
export function parseDrops(text: string): number {
  const counts = text.split('\n').map((line) => Number.parseInt(line.split(/\s+/)[1] ?? '', 16))
  return counts.reduce((sum, count) => sum + (Number.isNaN(count) ? 0 : count), 0)
}
