/** `npm run bench:agent [-- --size-mb 512 --rounds 3 --json FILE]`: one agent beside aria2 and libtorrent. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { agentContestant, aria2Contestant, libtorrentContestant } from '../bench/agent/clients.js'
import { runBench } from '../bench/agent/rounds.js'
import { table } from '../bench/agent/samples.js'
import { root } from '../host/agent-binary.js'
import { ensureTools, pythonHas } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'
import { buildAgent } from './build-agent.js'

const { values } = parseArgs({
  options: {
    'size-mb': { type: 'string', default: '512' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
    /** Memory, not a disk: the bench measures clients. */
    directory: { type: 'string', default: '/dev/shm' },
  },
})

try {
  ensureTools([
    { name: 'aria2c', debianPackage: 'aria2' },
    {
      name: 'python3-libtorrent',
      debianPackage: 'python3-libtorrent',
      present: () => pythonHas('libtorrent'),
    },
    { name: 'time', debianPackage: 'time' },
  ])
  const agent = agentContestant(buildAgent())
  const libtorrent = libtorrentContestant(join(root, 'bench', 'agent', 'libtorrent_client.py'))
  const directory = mkdtempSync(join(values.directory, 'bootswarm-bench-'))
  const end = () => rmSync(directory, { recursive: true, force: true })
  process.once('SIGINT', () => {
    end()
    process.exit(130)
  })
  try {
    const rows = await runBench({
      directory,
      sizeBytes: Number(values['size-mb']) * 1_000_000,
      rounds: Number(values.rounds),
      contestants: [agent, libtorrent, aria2Contestant()],
      seeder: agent,
      log: (line) => process.stderr.write(`${line}\n`),
    })
    if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
    process.stdout.write(`${table(rows)}\n`)
  } finally {
    end()
  }
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}
