/** Faults that a storm injects: killed nodes, liars, and a server that restarts or goes away. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stop } from '../agent/measure.js'
import type { AgentStorm } from './agents.js'
import { inside } from './network.js'
import { SERVER_ADDRESS } from './plan.js'
import { pick } from './random.js'
import type { StormSite } from './storm-site.js'
import type { Undo } from './undo.js'

const liarMain = fileURLToPath(new URL('./liar.js', import.meta.url))

/** The faults of one storm. */
export interface Faults {
  /** At the moment the nodes start. */
  begin(): void
  end(): void
  /** Blocks that each liar was asked for. */
  liars(): number[]
}

/** Chooses victims and times; liars join at once, before the nodes. */
export async function scheduleFaults(
  site: StormSite,
  storm: AgentStorm,
  random: () => number,
  undo: Undo,
): Promise<Faults> {
  const { options, server, floorS } = site
  const timers: NodeJS.Timeout[] = []
  const at = (seconds: number, what: () => void) => timers.push(setTimeout(what, seconds * 1000))
  // In mid-download: no node can be done before the floor.
  const victims = pick(storm.boots, Math.round(options.killShare * options.nodes), random).map((boot) => ({
    boot,
    atS: boot.startS + floorS * (0.1 + 0.8 * random()),
  }))
  const sent = await startLiars(site, undo)
  return {
    begin: () => {
      for (const { boot, atS } of victims) at(atS, () => storm.kill(boot))
      if (options.serverRestart) at(floorS * (0.3 + 0.3 * random()), () => void server.restart())
      if (options.serverGone) goneAfterFirstCopy(site, storm, at)
    },
    end: () => {
      for (const timer of timers) clearTimeout(timer)
    },
    liars: sent,
  }
}

/** Kills the server as soon as one node has everything: what the server sent says nothing of what arrived. */
function goneAfterFirstCopy(
  site: StormSite,
  storm: AgentStorm,
  at: (seconds: number, what: () => void) => void,
): void {
  const look = () => {
    if (storm.boots.some((boot) => boot.downloadedS !== undefined)) void site.server.kill()
    else at(0.05, look)
  }
  look()
}

async function startLiars(site: StormSite, undo: Undo): Promise<() => number[]> {
  const { options, plan, server, payload } = site
  const { infohash } = await server.artifact()
  const counts = plan.liars.map(() => 0)
  for (const [index, host] of plan.liars.entries()) {
    const tracker = `http://${SERVER_ADDRESS}:8480/announce`
    const args = [liarMain, tracker, infohash, String(payload.bytes), host.address, options.corruptKind]
    const [program, wrapped] = inside(host.namespace, [process.execPath, ...args])
    const child: ChildProcess = spawn(program, wrapped, {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: join(site.directory),
    })
    undo.add(() => stop(child))
    await once(child.stdout as NodeJS.ReadableStream, 'data')
    child.stdout?.on('data', (chunk: Buffer) => {
      counts[index] = (counts[index] ?? 0) + chunk.filter((byte) => byte === 10).length
    })
  }
  return () => [...counts]
}
