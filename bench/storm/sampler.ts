/** Samples processors and links once a second: light enough not to disturb what it measures. */
import { readFileSync } from 'node:fs'
import type { Network } from './network.js'
import type { Plan } from './plan.js'

/** Processor time since boot, in ticks. */
export interface CpuTimes {
  readonly total: number
  readonly idle: number
  readonly steal: number
}

/** The machine's processors together. */
export function cpuTimes(): CpuTimes {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .map(Number)
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = fields
  return { total: user + nice + system + idle + wait + irq + soft + steal, idle: idle + wait, steal }
}

/** The share of idle processor time. */
export function idleShare(from: CpuTimes, to: CpuTimes): number {
  return to.total > from.total ? (to.idle - from.idle) / (to.total - from.total) : 1
}

/** One sample. Bytes are since the start of the storm. */
export interface Sample {
  /** Seconds since the start. */
  readonly atS: number
  readonly serverTxBytes: number
  /** Into all nodes together. */
  readonly nodesRxBytes: number
  /** Into each rack over its uplink; empty in a flat network. */
  readonly racksInBytes: readonly number[]
  /** Share of idle processor time since the sample before. */
  readonly idle: number
}

/** Samples every second until `stop`, and once more then. */
export function startSampler(
  network: Network,
  plan: Plan,
  onSample: (sample: Sample) => void,
): { readonly samples: readonly Sample[]; stop(): void } {
  const samples: Sample[] = []
  const startMs = performance.now()
  const base = network.counts()
  let cpu = cpuTimes()
  const look = () => {
    const counts = network.counts()
    const tx = (port: string) => (counts.get(port)?.txBytes ?? 0) - (base.get(port)?.txBytes ?? 0)
    const rx = (port: string) => (counts.get(port)?.rxBytes ?? 0) - (base.get(port)?.rxBytes ?? 0)
    const now = cpuTimes()
    const sample = {
      atS: (performance.now() - startMs) / 1000,
      serverTxBytes: rx(plan.serverPort),
      nodesRxBytes: plan.nodes.reduce((sum, node) => sum + tx(node.port), 0),
      racksInBytes: plan.racks.filter((rack) => rack.corePort !== '').map((rack) => tx(rack.corePort)),
      idle: idleShare(cpu, now),
    }
    cpu = now
    samples.push(sample)
    onSample(sample)
  }
  const timer = setInterval(look, 1000)
  return {
    samples,
    stop: () => {
      clearInterval(timer)
      look()
    },
  }
}
