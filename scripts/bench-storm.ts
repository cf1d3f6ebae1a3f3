/** `npm run bench:storm -- --nodes 500`: a farm boots at once, on shaped links. See docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { runStorm } from '../bench/storm/storm.js'
import { type BaselineName, parseStormOptions, usage } from '../bench/storm/storm-options.js'
import { ensureTools, pythonHas, type Tool } from '../host/tools.js'
import { buildAgent, buildSimulator } from './build-agent.js'
import { undone } from './undone.js'

const libtorrent: Tool = {
  name: 'python3-libtorrent',
  debianPackage: 'python3-libtorrent',
  present: () => pythonHas('libtorrent'),
}
const baselineTools: Readonly<Record<BaselineName, readonly Tool[]>> = {
  https: [{ name: 'wget', debianPackage: 'wget' }],
  // Their seeder and tracker are libtorrent's.
  aria2: [{ name: 'aria2c', debianPackage: 'aria2' }, libtorrent],
  libtorrent: [libtorrent],
  'libtorrent-super': [libtorrent],
  udpcast: [{ name: 'udp-sender', debianPackage: 'udpcast' }],
}

await undone(async (undo) => {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) process.stdout.write(usage)
  else {
    const options = parseStormOptions(argv)
    ensureTools([
      { name: 'ip', debianPackage: 'iproute2' },
      { name: 'nsenter', debianPackage: 'util-linux' },
      { name: 'curl', debianPackage: 'curl' },
      { name: 'tar', debianPackage: 'tar' },
      ...options.baselines.flatMap((name) => baselineTools[name]),
    ])
    const say = (line: string) => process.stderr.write(`${line}\n`)
    if (options.simulation) buildSimulator()
    const { result, html } = await runStorm(options, buildAgent(), undo, say)
    if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`)
    if (options.html) writeFileSync(options.html, html)
    const { nodes_detail: _nodes, samples: _samples, ...rest } = result
    const baselines = rest.baselines.map(({ completed_s: _all, ...baseline }) => baseline)
    const short = { ...rest, baselines }
    process.stdout.write(`${JSON.stringify(short, null, 2)}\n`)
    process.exitCode = result.failed > 0 || !result.valid ? 1 : 0
  }
})
