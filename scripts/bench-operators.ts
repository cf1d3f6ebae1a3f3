/** `npm run bench:operators [-- --nodes 500 --boots 10000 --requests 50 --json FILE]`: how long a server takes to answer an operator. See docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { type OperatorBenchRow, runOperatorBench } from '../bench/operators/answers.js'
import { undone } from './undone.js'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '500' },
    boots: { type: 'string', default: '10000' },
    requests: { type: 'string', default: '50' },
    json: { type: 'string' },
    directory: { type: 'string', default: tmpdir() },
  },
})

await undone(async (undo) => {
  const rows = await runOperatorBench(
    {
      nodes: Number(values.nodes),
      boots: Number(values.boots),
      requests: Number(values.requests),
      directory: values.directory,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    undo,
  )
  if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
  process.stdout.write(`${table(rows)}\n`)
})

function table(rows: readonly OperatorBenchRow[]): string {
  const lines = rows.map(
    ({ what, medianMs, maxMs, bytes }) =>
      `| ${what} | ${medianMs.toFixed(1)} | ${maxMs.toFixed(1)} | ${Math.ceil(bytes / 1000)} |`,
  )
  return ['| answer | median ms | longest ms | kB |', `|${'---|'.repeat(4)}`, ...lines].join('\n')
}
