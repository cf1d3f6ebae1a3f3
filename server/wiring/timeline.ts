/** The timeline of the running server, and what the server itself adds to it. */
import { randomBytes } from 'node:crypto'
import { NODES_UNKNOWN_MAX } from '../../src/limits.js'
import type { LiveVersions } from '../catalog/versions.js'
import type { Store } from '../store/store.js'
import { Timeline } from '../timeline/timeline.js'
import { after, type Common } from './parts.js'

/** Writes into the store. */
export function makeTimeline({ nowMs, failures }: Common, store: Store): Timeline {
  return new Timeline({
    save: (batch) => store.saveTimeline(batch),
    machines: () => store.timeline.machines(NODES_UNKNOWN_MAX),
    nowMs,
    elapsedMs: () => performance.now(),
    newBoot: () => randomBytes(8).toString('hex'),
    after,
    failures,
  })
}

/** Tells the timeline of versions that are published after `startedMs`. */
export function publishedVersions(timeline: Timeline, startedMs: number): (live: LiveVersions) => void {
  let told: number | undefined
  return ({ current }) => {
    if (current === undefined || current.version === told || current.createdMs < startedMs) return
    told = current.version
    timeline.site('version.published', {
      version: current.version,
      artifacts: current.artifacts.length,
    })
  }
}
