/** Which known name a misspelt one most likely means. Pure. */

/** The known name that a wrong one most likely means. */
export function nearest(wrong: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  let best: string | undefined
  let bestDistance = 3
  for (const name of known) {
    const distance = plain(name) === plain(wrong) ? 0 : editDistance(plain(name), plain(wrong))
    // Two slips in a word of three letters is another word.
    if (distance < bestDistance && distance * 2 < Math.max(name.length, 3)) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** Edits between the first 64 characters: insert, remove, replace, swap of neighbours (optimal string alignment). */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64)
  const b = right.slice(0, 64)
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 64) + 1 : 64
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
