/** The report with charts: one HTML file that needs no network. No I/O. */
import { chart, escapeHtml, type Line, WIDTH } from './chart.js'
import type { StormResult } from './storm-result.js'

const colours = ['#0b6', '#06c', '#c40', '#808', '#a80', '#666', '#0aa', '#e06']
/** The completion chart ends at this multiple of the agents' time: HTTPS would squeeze all others to its edge. */
const COMPLETION_SPAN = 3

/** Steps from 0 to 100 % at the times of completion. */
function curve(seconds: readonly number[], nodes: number): [number, number][] {
  const sorted = [...seconds].sort((a, b) => a - b)
  const share = (count: number) => (100 * count) / nodes
  const steps = sorted.flatMap((at, index): [number, number][] => [
    [at, share(index)],
    [at, share(index + 1)],
  ])
  return [[0, 0], ...steps]
}

function completion(result: StormResult): string {
  const own = result.nodes_detail.flatMap((node) => (node.booted_s === null ? [] : [node.booted_s]))
  const spanS = COMPLETION_SPAN * Math.max(result.floor_s, ...own)
  const until = (seconds: readonly number[]) =>
    Math.max(0, ...seconds) > spanS ? `, until ${Math.max(...seconds).toFixed(0)} s` : ''
  const lines: Line[] = [
    { name: 'bootswarm', colour: colours[0] ?? '', points: curve(own, result.nodes) },
    ...result.baselines.map((baseline, index) => ({
      name: `${baseline.name} (${baseline.nodes} nodes${until(baseline.completed_s)})`,
      colour: colours[index + 1] ?? '#000',
      points: curve(baseline.completed_s, baseline.nodes),
    })),
    {
      name: `floor ${result.floor_s} s`,
      colour: '#000',
      dashed: true,
      points: [
        [result.floor_s, 0],
        [result.floor_s, 100],
      ],
    },
  ]
  return chart({ title: 'Nodes complete', x: 'seconds', y: '% of the nodes' }, lines, spanS)
}

function bytes(result: StormResult): string {
  const megabytes = (value: number) => value / 1e6
  const points = (value: (at: (typeof result.samples)[number]) => number): [number, number][] => [
    [0, 0],
    ...result.samples.map((sample): [number, number] => [sample.at_s, megabytes(value(sample))]),
  ]
  // One chart each: beside what 500 nodes send each other, the server's bytes are a flat line.
  const one = (source: string, colour: string, value: Parameters<typeof points>[0]) =>
    chart({ title: `Bytes from ${source}`, x: 'seconds', y: 'MB so far, on the links' }, [
      { name: `from ${source}`, colour, points: points(value) },
    ])
  return (
    one('other nodes', '#06c', (at) => at.nodes_rx_bytes - at.server_tx_bytes) +
    one('the server', '#c40', (at) => at.server_tx_bytes)
  )
}

function uplinks(result: StormResult): string {
  if (result.racks === 0) return ''
  const count = result.samples[0]?.racks_in_bytes.length ?? 0
  const lines = Array.from({ length: count }, (_, rack): Line => {
    const points = result.samples.map((sample, at): [number, number] => {
      const before = result.samples[at - 1]
      const seconds = sample.at_s - (before?.at_s ?? 0)
      const delta = (sample.racks_in_bytes[rack] ?? 0) - (before?.racks_in_bytes[rack] ?? 0)
      return [sample.at_s, (delta * 8) / 1e6 / Math.max(0.001, seconds)]
    })
    return { name: `rack ${rack + 1}`, colour: colours[rack % colours.length] ?? '#000', points }
  })
  return chart({ title: "Each rack's uplink, inwards", x: 'seconds', y: 'Mbit/s' }, lines)
}

/** Where the time of the slowest nodes went. */
function waterfall(result: StormResult): string {
  const slowest = result.nodes_detail
    .filter((node) => node.killed_s === null)
    .sort((a, b) => (b.booted_s ?? Number.MAX_VALUE) - (a.booted_s ?? Number.MAX_VALUE))
    .slice(0, 20)
  const most = Math.max(1, ...slowest.map((node) => node.booted_s ?? result.last_s ?? 1))
  const scale = (seconds: number) => (seconds / most) * 560
  const rows = slowest.map((node, index) => {
    const end = node.booted_s ?? most
    const manifest = node.manifest_s ?? end
    const downloaded = node.downloaded_s ?? end
    const y = index * 22
    const bar = (from: number, to: number, colour: string) =>
      `<rect x="${(90 + scale(from)).toFixed(1)}" y="${y + 3}" width="${Math.max(0, scale(to - from)).toFixed(1)}" height="14" fill="${colour}"/>`
    const bars =
      bar(node.start_s, manifest, '#a80') + bar(manifest, downloaded, '#06c') + bar(downloaded, end, '#0b6')
    const took = node.booted_s === null ? '' : `, ${node.booted_s.toFixed(1)} s`
    return `<text x="0" y="${y + 15}">${escapeHtml(node.id + took)}</text>${bars}<text x="660" y="${y + 15}">${escapeHtml(reason(node, result))}</text>`
  })
  return `<h2>The slowest nodes</h2><p class="legend"><span style="color:#a80">&#9632; manifest</span> <span style="color:#06c">&#9632; download</span> <span style="color:#0b6">&#9632; unpack</span></p><svg viewBox="0 0 ${WIDTH + 100} ${slowest.length * 22 + 6}">${rows.join('')}</svg>`
}

/** Why a node was late, from its own events. */
export function reason(node: StormResult['nodes_detail'][number], result: StormResult): string {
  if (node.booted_s === null)
    return node.failures[node.failures.length - 1] ?? 'not done when the bench gave up'
  if (node.slow) return 'its link has a tenth of the rate'
  if (node.failures.length > 0) return `began anew: ${node.failures[0]}`
  if (node.start_s > 0.2 * result.floor_s) return `started ${node.start_s.toFixed(1)} s late`
  if ((node.manifest_s ?? 0) - node.start_s > 0.15 * result.floor_s) return 'waited for its manifest'
  if (node.booted_s - (node.downloaded_s ?? 0) > 0.15 * result.floor_s) return 'unpacking'
  if (node.from_origin_bytes > 0.2 * result.payload_bytes) {
    return `${(node.from_origin_bytes / 1e6).toFixed(1)} MB came from the server`
  }
  const stall = longestStall(node.progress)
  if (stall.seconds > 0.15 * result.floor_s) {
    return `nothing came for ${stall.seconds.toFixed(1)} s from ${stall.fromS.toFixed(1)} s on`
  }
  const behindS = node.booted_s - (result.p95_s ?? node.booted_s)
  if (behindS > 0.05 * result.floor_s) return `95 % were done ${behindS.toFixed(1)} s before`
  return 'the swarm was as slow for all'
}

function longestStall(progress: readonly (readonly [number, number, number])[]) {
  const longest = { seconds: 0, fromS: 0 }
  let since = progress[0]
  for (const at of progress) {
    if (!since || at[1] > since[1]) since = at
    else if (at[0] - since[0] > longest.seconds) {
      longest.seconds = at[0] - since[0]
      longest.fromS = since[0]
    }
  }
  return longest
}

function table(result: StormResult): string {
  // What left the server's link, as for the others.
  const own = { ...result, name: 'bootswarm', note: '', origin_copies: result.origin_link_copies }
  const rows = [own, ...result.baselines].map((row) => {
    const cells = [
      row.name,
      row.nodes,
      row.median_s,
      row.p99_s,
      row.last_s,
      row.last_over_floor,
      row.origin_copies,
      row.rack_copies_max,
      row.failed,
      `${(row.cpu_idle_share * 100).toFixed(0)} %`,
      row.valid ? 'yes' : 'processor-bound',
      row.note,
    ]
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(String(cell ?? '-'))}</td>`).join('')}</tr>`
  })
  const heads =
    'who,nodes,median s,p99 s,last s,last / floor,copies on the server&#39;s link,rack copies,failed,idle,valid,note'
  return `<table><tr>${heads
    .split(',')
    .map((head) => `<th>${head}</th>`)
    .join('')}</tr>${rows.join('')}</table>`
}

/** The whole page. */
export function reportHtml(result: StormResult): string {
  const even = result.racks === 0 ? 'one flat network' : `${result.racks} racks of ${result.rack_size}`
  const shape = result.topology === '' ? even : escapeHtml(result.topology)
  const what = `${result.nodes} nodes, ${shape}, links of ${result.link_mbit} Mbit/s (${result.scale}), ${(result.payload_bytes / 1e6).toFixed(2)} MB, seed ${result.seed}`
  const verdict = result.valid
    ? ''
    : '<p class="bad">This run was processor-bound: its times say more about this machine than about the swarm.</p>'
  const style =
    'body{font:14px sans-serif;max-width:1000px;margin:2em auto;padding:0 1em}svg{width:100%;font-size:11px}table{border-collapse:collapse}td,th{padding:3px 8px;border:1px solid #ccc;text-align:right}.bad{background:#fdd;padding:.6em}.legend span{margin-right:1em;white-space:nowrap}'
  const { median_s, last_s } = result.after_manifest
  const after = `<p>From a node's verified manifest to its last byte: ${median_s ?? '-'} s, the longest ${last_s ?? '-'} s.</p>`
  const { p99_s, p99_over_floor } = result.healthy
  const healthy = `<p>Nodes with full links: p99 ${p99_s ?? '-'} s, ${p99_over_floor ?? '-'} floors.</p>`
  const simulated = result.simulated
    ? `<p>Simulated with the same figures: last / floor ${result.simulated.last_over_floor}, measured ${result.last_over_floor}.</p>`
    : ''
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>bootswarm storm</title><style>${style}</style><h1>A storm of ${result.nodes}</h1><p>${what}. Floor ${result.floor_s} s.</p>${verdict}${table(result)}${after}${healthy}${simulated}${completion(result)}${bytes(result)}${uplinks(result)}${waterfall(result)}</html>\n`
}
