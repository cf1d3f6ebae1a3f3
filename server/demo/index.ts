/** `npm start -- --demo 8`: a site of real files and a few local agents that boot from it. */
import { join } from 'node:path'
import { printJson, printLines } from '../../host/console.js'
import { type DemoNodes, startDemoNodes } from './nodes.js'
import { nodeLine, summarize, summaryLines } from './report.js'

export { type DemoSite, makeDemoSite } from './artifacts.js'
export type { DemoSummary } from './report.js'

/** What the demo needs of the running server. */
export interface DemoContext {
  readonly nodes: number
  readonly agent: string
  readonly directory: string
  readonly trustDir: string
  readonly httpsPort: number
  readonly payloadBytes: number
  /** Machine output only: the summary as one line of JSON on standard output. */
  readonly json: boolean
  /** Gets what ends the agents as soon as there are any: a signal may come before they are done. */
  readonly onStarted?: (stop: () => Promise<void>) => void
}

/** Boots the demo's nodes and tells how it went; they seed on until `stop`. */
export async function runDemo(
  context: DemoContext,
): Promise<{ allBooted: boolean; stop: () => Promise<void> }> {
  const say = (line: string) => {
    if (!context.json) printLines([line])
  }
  say(`Starting ${context.nodes} agents at once; each boots into a folder of its own below`)
  say(`${join(context.directory, 'nodes')}. Watch where their bytes come from:`)
  const started = performance.now()
  const running: DemoNodes = await startDemoNodes({
    agent: context.agent,
    count: context.nodes,
    directory: context.directory,
    trustDir: context.trustDir,
    serverUrl: `https://127.0.0.1:${context.httpsPort}`,
    timeoutMs: 120_000,
    onNode: (node) => say(nodeLine(node)),
  })
  context.onStarted?.(running.stop)
  const results = await running.results
  const summary = summarize(results, context.payloadBytes, (performance.now() - started) / 1000)
  if (context.json) printJson(summary)
  else printLines(summaryLines(summary, context.payloadBytes))
  return { allBooted: summary.failed === 0, stop: running.stop }
}
