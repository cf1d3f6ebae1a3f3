/** Progress of a storm: a table on a terminal, otherwise a line every few seconds. */
import type { NodeBoot } from './node-boot.js'
import type { Sample } from './sampler.js'
import type { StormSite } from './storm-site.js'

/** Follows a storm. */
export interface Live {
  begin(boots: readonly NodeBoot[], site: StormSite): void
  booted(boot: NodeBoot): void
  sample(sample: Sample, boots: readonly NodeBoot[]): void
  end(): void
}

/** Writes to `out`, in place when it is a terminal. */
export function makeLive(out: NodeJS.WriteStream, name: string): Live {
  let before: Sample | undefined
  let floor = 1
  let linkMbit = 1
  let lines = 0
  const draw = (rows: string[]) => {
    out.write(`${lines > 0 ? `\x1b[${lines}A` : ''}${rows.map((row) => `\x1b[2K${row}\n`).join('')}`)
    lines = rows.length
  }
  return {
    begin: (_boots, site) => {
      floor = site.floorS
      linkMbit = site.options.linkMbit
    },
    booted: () => {},
    sample: (sample, boots) => {
      const states = countStates(boots, sample.atS)
      const seconds = sample.atS - (before?.atS ?? 0)
      const mbit = (now: number, then: number) => (((now - then) * 8) / 1e6 / seconds).toFixed(1)
      const origin = mbit(sample.serverTxBytes, before?.serverTxBytes ?? 0)
      const swarm = mbit(sample.nodesRxBytes, before?.nodesRxBytes ?? 0)
      const racks = sample.racksInBytes.map((bytes, index) =>
        Number(mbit(bytes, before?.racksInBytes[index] ?? 0)),
      )
      before = sample
      const at = `${sample.atS.toFixed(0)} s, ${(sample.atS / floor).toFixed(2)} floors`
      const idle = `${(sample.idle * 100).toFixed(0)} % idle`
      const nodes = Object.entries(states).map(([state, count]) => `${state} ${count}`)
      if (!out.isTTY) {
        if (Math.round(sample.atS) % 5 !== 0) return
        out.write(`${name}: ${at}: ${nodes.join(', ')}; origin ${origin}, swarm ${swarm} Mbit/s, ${idle}\n`)
        return
      }
      const rows = [`${name.padEnd(12)} ${at}   processors ${idle}`]
      rows.push(`  nodes      ${nodes.join('   ')}`, `  origin     ${origin} Mbit/s of ${linkMbit}`)
      rows.push(`  swarm      ${swarm} Mbit/s of ${(linkMbit * boots.length).toFixed(0)}`)
      if (racks.length > 0) {
        const mean = racks.reduce((sum, rate) => sum + rate, 0) / racks.length
        rows.push(`  uplinks    mean ${mean.toFixed(1)}, most ${Math.max(...racks).toFixed(1)} Mbit/s`)
      }
      draw(rows)
    },
    end: () => {
      lines = 0
    },
  }
}

function countStates(boots: readonly NodeBoot[], atS: number): Record<string, number> {
  const states = { off: 0, starting: 0, fetching: 0, unpacking: 0, booted: 0, killed: 0 }
  for (const boot of boots) {
    if (boot.killedS !== undefined) states.killed += 1
    else if (boot.bootedS !== undefined) states.booted += 1
    else if (boot.downloadedS !== undefined) states.unpacking += 1
    else if (boot.manifestS !== undefined) states.fetching += 1
    else if (boot.startS <= atS) states.starting += 1
    else states.off += 1
  }
  return states
}
