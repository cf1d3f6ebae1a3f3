/** The result of a storm as it is written to the JSON file (docs/storm.schema.json). */
import type { stormOfAgents } from './agent-storm.js'
import { type BaselineResult, round } from './result.js'
import { goodputBytes } from './shaping.js'
import { type Simulated, simulateStorm } from './simulate.js'
import type { StormSite } from './storm-site.js'

/** {@link describeStorm} is its one source. */
export type StormResult = ReturnType<typeof describeStorm>

/** Puts the result together. */
export function describeStorm(
  site: StormSite,
  { facts, figures, liars }: Awaited<ReturnType<typeof stormOfAgents>>,
  baselines: readonly BaselineResult[],
) {
  const { options } = site
  return {
    nodes: options.nodes,
    racks: options.rackSize === 0 ? 0 : site.plan.racks.length,
    rack_size: options.rackSize,
    topology: options.topology,
    link_mbit: options.linkMbit,
    payload_bytes: site.payload.bytes,
    payload_format: options.format,
    floor_s: round(site.floorS, 3),
    ...figures,
    seed: options.seed,
    arrivals: options.arrivals.kind === 'file' ? options.arrivals.path : options.arrivals.kind,
    faults: {
      kill_share: options.killShare,
      slow_share: options.slowShare,
      corrupt: options.corrupt,
      corrupt_kind: options.corruptKind,
      server_restart: options.serverRestart,
      server_gone: options.serverGone,
    },
    scale: `1:${round(1000 / options.linkMbit, 1)} of 1 Gbit/s`,
    link_check: round(site.linkMeasured / goodputBytes(options.linkMbit), 4),
    liar_blocks: liars,
    baselines,
    simulated: (options.simulation ? simulateStorm(options) : null) satisfies Simulated | null,
    nodes_detail: facts.boots.map((boot) => ({
      id: boot.host.id,
      rack: boot.host.rack,
      slow: boot.host.slow,
      start_s: boot.startS,
      manifest_s: boot.manifestS ?? null,
      downloaded_s: boot.downloadedS ?? null,
      booted_s: boot.bootedS ?? null,
      killed_s: boot.killedS ?? null,
      from_peers_bytes: boot.fromPeersBytes,
      from_origin_bytes: boot.fromOriginBytes,
      duplicate_bytes: boot.duplicateBytes,
      banned: boot.banned,
      failures: boot.failures,
      progress: boot.progress,
    })),
    samples: facts.samples.map((sample) => ({
      at_s: round(sample.atS, 2),
      server_tx_bytes: sample.serverTxBytes,
      nodes_rx_bytes: sample.nodesRxBytes,
      racks_in_bytes: sample.racksInBytes,
      idle: round(sample.idle, 3),
    })),
  }
}
