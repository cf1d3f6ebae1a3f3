/** `npm run bench:timeline [-- --nodes 500 --seconds 40 --rounds 3 --against DIR --json FILE]`: what a farm that boots costs the server. See docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runTimelineBench, type TimelineRow } from '../bench/timeline/rounds.js'
import { ensureTools } from '../host/tools.js'
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
      nodes: Number(values.nodes),
      seconds: Number(values.seconds),
      rounds: Number(values.rounds),
      directory: values.directory,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    undo,
  )
  if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
  process.stdout.write(`${table(rows)}\n`)
})

function table(rows: readonly TimelineRow[]): string {
  const lines = rows.map(({ build, daemonS, netbootS, allS, elapsedS }) => {
    const seconds = [daemonS, netbootS, allS, elapsedS].map((figure) => figure.toFixed(2))
    return `| ${build} | ${seconds.join(' | ')} | ${((100 * allS) / elapsedS).toFixed(1)} % |`
  })
  const head = '| build | daemon CPU s | netboot CPU s | all CPU s | elapsed s | of a core |'
  return [head, `|${'---|'.repeat(6)}`, ...lines].join('\n')
}
