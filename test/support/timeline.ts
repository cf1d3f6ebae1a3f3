/** A timeline on a store, for tests of the parts that tell it something. */
import type { Store } from '../../server/store/store.js'
import { Timeline } from '../../server/timeline/timeline.js'
import { noFailures } from './failures.js'

/** Names boots 1, 2, 3; waits with real timers. */
export function timelineOn(
  store: Pick<Store, 'saveTimeline'>,
  nowMs: () => number = () => 1000,
  failures = noFailures(),
): Timeline {
  let boots = 0
  return new Timeline({
    save: (batch) => store.saveTimeline(batch),
    nowMs,
    elapsedMs: nowMs,
    newBoot: () => {
      boots += 1
      return boots.toString(16).padStart(16, '0')
    },
    after: (ms, run) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    failures,
  })
}
