/** Line charts as SVG, for a page that needs no network. No I/O. */

export const WIDTH = 900
const HEIGHT = 300
const LEFT = 60
const BOTTOM = 34

/** A line of a chart; `points` are x and y, by rising x. */
export interface Line {
  readonly name: string
  readonly colour: string
  readonly points: readonly (readonly [number, number])[]
  readonly dashed?: boolean
}

/** A chart's texts. */
export interface ChartText {
  readonly title: string
  readonly x: string
  readonly y: string
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** A chart with axes and a legend. Points beyond `xMost` are left out. */
export function chart(text: ChartText, lines: readonly Line[], xMost = Number.POSITIVE_INFINITY): string {
  const shown = lines.map((line) => ({ ...line, points: cut(line.points, xMost) }))
  const points = shown.flatMap((line) => line.points)
  const xMax = Math.max(0.001, ...points.map(([x]) => x))
  const yMax = Math.max(0.001, ...points.map(([, y]) => y))
  const x = (value: number) => LEFT + (value / xMax) * (WIDTH - LEFT - 10)
  const y = (value: number) => HEIGHT - BOTTOM - (value / yMax) * (HEIGHT - BOTTOM - 10)
  const across = ticks(yMax).map(
    (value) =>
      `<path d="M${LEFT} ${y(value).toFixed(1)}H${WIDTH - 10}" stroke="#ddd"/>` +
      `<text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value}</text>`,
  )
  const below = ticks(xMax).map(
    (value) => `<text x="${x(value).toFixed(1)}" y="${HEIGHT - 16}" text-anchor="middle">${value}</text>`,
  )
  const paths = shown.map((line) => {
    const path = line.points.map(([px, py], at) => `${at ? 'L' : 'M'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`)
    const dash = line.dashed ? ' stroke-dasharray="6 4"' : ''
    return `<path d="${path.join('')}" fill="none" stroke="${line.colour}" stroke-width="2"${dash}/>`
  })
  const legend = lines.map(
    ({ name, colour }) => `<span style="color:${colour}">&#9632; ${escapeHtml(name)}</span>`,
  )
  const axes = `<text x="${WIDTH / 2}" y="${HEIGHT - 2}" text-anchor="middle">${text.x}</text><text x="12" y="${HEIGHT / 2}" transform="rotate(-90 12 ${HEIGHT / 2})" text-anchor="middle">${text.y}</text>`
  return `<h2>${text.title}</h2><p class="legend">${legend.join(' ')}</p><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${text.title}">${across.join('')}${below.join('')}${axes}${paths.join('')}</svg>`
}

/** Round values from 0 to at most `most`: four to ten of them, whose distance is 1, 2 or 5 times a power of ten. */
export function ticks(most: number): number[] {
  const power = 10 ** Math.floor(Math.log10(most / 4))
  const step = power * ([5, 2].find((factor) => factor * power <= most / 4) ?? 1)
  const count = Math.floor(most / step + 1e-9)
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

/** The points up to `xMost`, and the last height there if the line goes on. */
function cut(points: Line['points'], xMost: number): Line['points'] {
  const kept = points.filter(([x]) => x <= xMost)
  const last = kept[kept.length - 1]
  return last && kept.length < points.length ? [...kept, [xMost, last[1]] as const] : kept
}
