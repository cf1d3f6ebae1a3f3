/** `bootswarm status`: a server and its nodes in ten lines. */
import { printJson, printLines } from '../../host/console.js'
import type { OperatorStatus } from '../../server/api/operators/schemas.js'
import { statusOutline } from './outlines.js'
import { withSession } from './session.js'
import { watch } from './watch.js'
import { countOf, formatBytes, formatDuration } from './words.js'

/** Runs the command. */
export function main(args: readonly string[]): Promise<number> {
  return withSession(statusOutline, args, async ({ call, client }) => {
    if (call.flags.has('watch')) return watch(async () => statusLines(await client.status()))
    const status = await client.status()
    if (call.flags.has('json')) printJson(status, 2)
    else printLines(statusLines(status))
    return 0
  })
}

/** Ten lines for people. */
function statusLines(status: OperatorStatus): string[] {
  const { artifacts, connections, netboot, nodes, operators, origin, problems, failing, seeding } = status
  const all = Object.values(nodes).reduce((sum, count) => sum + count, 0)
  const states = Object.entries(nodes).filter(([, count]) => count > 0)
  const rows: [string, string][] = [
    ['site', `${status.site}, bootswarm ${status.program}, up for ${formatDuration(status.uptime_s)}`],
    [
      'catalog',
      status.version === 0
        ? 'empty: nothing to boot yet'
        : `version ${status.version}: ${countOf(artifacts.files, 'file')}, ${formatBytes(artifacts.size_bytes)}`,
    ],
    ['problems', listed(problems.map(({ code, file }) => `${code} ${file}`))],
    [
      'failing',
      listed(failing.map(({ part, code, for_s: forS }) => `${part} (${code}, for ${formatDuration(forS)})`)),
    ],
    ['nodes', [String(all), ...states.map(([state, count]) => `${count} ${state}`)].join(', ')],
    ['net boot', netboot.mode === 'off' ? 'off' : netbootText(netboot)],
    [
      'seeding',
      `${countOf(seeding.nodes, 'node')}${seeding.calm_in_s === null ? '' : seeding.calm_in_s === 0 ? ', told to end' : `, for ${formatDuration(seeding.calm_in_s)} at least`}`,
    ],
    [
      'sent',
      `${formatBytes(origin.bittorrent_bytes)} to the swarm, ${formatBytes(origin.https_bytes)} over HTTPS, ${formatBytes(origin.boot_bytes)} of kernel and stage 1`,
    ],
    ['clients', `${connections.open} of ${connections.max} connections, ${connections.refused} refused`],
    [
      'operators',
      operators.url === '' ? 'on this machine only' : `${operators.url}, key ${operators.key_sha256}`,
    ],
  ]
  return rows.map(([name, text]) => `${name.padEnd(11)}${text}`)
}

function netbootText({ mode, running, loading, waiting }: OperatorStatus['netboot']): string {
  return `${mode}${running ? '' : ', not running'}: ${loading} load kernel and stage 1, ${waiting} wait`
}

/** The first, and how many more. */
function listed(texts: readonly string[]): string {
  const [first, ...more] = texts
  if (first === undefined) return 'none'
  return more.length === 0 ? first : `${first}, and ${more.length} more`
}
