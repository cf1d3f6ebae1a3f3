/** Numbers as people read them. Pure. */

/** `4 s`, `12 min`, `3 h`, `9 d`. */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, seconds)
  if (s < 120) return `${Math.floor(s)} s`
  if (s < 120 * 60) return `${Math.floor(s / 60)} min`
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`
  return `${Math.floor(s / 86_400)} d`
}

/** `812 B`, `4.5 kB`, `130 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'kB', 'MB', 'GB', 'TB']) {
    if (value < 999.5 || unit === 'TB')
      return `${value < 9.95 && unit !== 'B' ? value.toFixed(1) : value.toFixed(0)} ${unit}`
    value /= 1000
  }
  return `${bytes} B`
}

/** In this machine's time zone: `2026-11-30 12:00:01.123`. */
export function formatTime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  const time = [two(date.getHours()), two(date.getMinutes()), two(date.getSeconds())].join(':')
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** `1 node`, `2 nodes`. */
export function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** `file=stage1 bytes=100000 why="no such file"`: the data of an event. */
export function formatFacts(data: Readonly<Record<string, unknown>>): string {
  return Object.entries(data)
    .map(([name, value]) => `${plainOrQuoted(name)}=${plainOrQuoted(value)}`)
    .join(' ')
}

/** A text that could be taken for more than one is in quotes; objects are JSON. */
function plainOrQuoted(value: unknown): string {
  return typeof value === 'string' && /^[^\s"'=]+$/.test(value) ? value : JSON.stringify(value)
}
