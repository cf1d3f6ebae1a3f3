/** A store that says when more events are on the disk. */
import type { Store } from '../store/store.js'

/** The same store, and where to listen. */
export interface ToldStore {
  readonly store: Store
  /** Calls back after each transaction with events; the result ends that. */
  onAppended(run: () => void): () => void
}

/** Adds the listeners. */
export function tellAppended(store: Store): ToldStore {
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const run of listeners) run()
  }
  return {
    store: {
      ...store,
      saveTimeline: async (batch) => {
        await store.saveTimeline(batch)
        if (batch.events.length > 0) tell()
      },
      saveOperator: async (job) => {
        await store.saveOperator(job)
        tell()
      },
    },
    onAppended: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
  }
}
