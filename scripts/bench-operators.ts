/** `npm run bench:operators [-- --nodes 500 --boots 10000 --requests 50 --json FILE]`: how long a server takes to answer an operator. See docs/bench.md. */
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { type OperatorBenchRow, runOperatorBench } from '../bench/operators/answers.js'
import { type Columns, countOf, reportRows } from './bench-report.js'
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

const columns: Columns<OperatorBenchRow> = {
  answer: ({ what }) => what,
  'median ms': ({ medianMs }) => medianMs.toFixed(1),
  'longest ms': ({ maxMs }) => maxMs.toFixed(1),
  kB: ({ bytes }) => String(Math.ceil(bytes / 1000)),
}

await undone(async (undo) => {
  const rows = await runOperatorBench(
    {
      nodes: countOf('nodes', values.nodes),
      boots: countOf('boots', values.boots),
      requests: countOf('requests', values.requests),
      directory: values.directory,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    undo,
  )
  reportRows(rows, columns, values.json)
})
