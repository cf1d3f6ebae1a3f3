/** `npm run bench:timeline [-- --nodes 500 --seconds 40 --rounds 3 --against DIR --json FILE]`: what a farm that boots costs the server. See docs/bench.md. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runTimelineBench, type TimelineRow } from '../bench/timeline/rounds.js'
import { ensureTools } from '../host/tools.js'
import { type Columns, countOf, reportRows } from './bench-report.js'
import { undone } from './undone.js'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '500' },
    /** Over which they are switched on: what a server of 1 Gbit/s takes for their kernels and stage 1. */
    seconds: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '3' },
    /** Another checkout, compiled, that is measured in turn. */
    against: { type: 'string' },
    json: { type: 'string' },
    directory: { type: 'string', default: '/dev/shm' },
  },
})

const columns: Columns<TimelineRow> = {
  build: ({ build }) => build,
  'daemon CPU s': ({ daemonS }) => daemonS.toFixed(2),
  'netboot CPU s': ({ netbootS }) => netbootS.toFixed(2),
  'all CPU s': ({ allS }) => allS.toFixed(2),
  'elapsed s': ({ elapsedS }) => elapsedS.toFixed(2),
  'of a core': ({ allS, elapsedS }) => `${((100 * allS) / elapsedS).toFixed(1)} %`,
}

await undone(async (undo) => {
  ensureTools([
    { name: 'ip', debianPackage: 'iproute2' },
    { name: 'nsenter', debianPackage: 'util-linux' },
  ])
  const own = { name: 'this build', directory: fileURLToPath(new URL('../..', import.meta.url)) }
  const others =
    values.against === undefined ? [] : [{ name: values.against, directory: resolve(values.against) }]
  const rows = await runTimelineBench(
    {
      builds: [own, ...others],
      nodes: countOf('nodes', values.nodes),
      seconds: countOf('seconds', values.seconds),
      rounds: countOf('rounds', values.rounds),
      directory: values.directory,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    undo,
  )
  reportRows(rows, columns, values.json)
})
