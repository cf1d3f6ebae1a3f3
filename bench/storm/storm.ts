/** A whole run: the agents' storm, then the baselines on the same links, then the figures of all. */
import { fileURLToPath } from 'node:url'
import { stormOfAgents } from './agent-storm.js'
import { runBaseline } from './baselines.js'
import { makeLive } from './live.js'
import { reportHtml } from './report.js'
import type { BaselineResult } from './result.js'
import type { StormOptions } from './storm-options.js'
import { describeStorm } from './storm-result.js'
import { buildStormSite } from './storm-site.js'
import type { Undo } from './undo.js'

const checkout = fileURLToPath(new URL('../../..', import.meta.url))

/** Runs a storm. What it made is undone by `undo`, which the caller also runs when interrupted. */
export async function runStorm(
  options: StormOptions,
  agent: string,
  undo: Undo,
  say: (line: string) => void,
  out: NodeJS.WriteStream = process.stderr,
) {
  const site = await buildStormSite(options, undo, say)
  const { facts, figures, liars } = await stormOfAgents(site, agent, undo, makeLive(out, 'bootswarm'))
  const baselines: BaselineResult[] = []
  for (const name of options.baselines) baselines.push(await runBaseline(site, name, undo, checkout, say))
  const result = describeStorm(site, { facts, figures, liars }, baselines)
  return { result, html: reportHtml(result) }
}
