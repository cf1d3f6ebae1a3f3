/** Names in which `*` stands for anything. Pure, and linear: no pattern makes it slow. */

/** Whether a name is the one that is meant; `*` stands for anything, nothing too. */
export function matchesName(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return name === pattern
  if (!name.startsWith(first) || name.length < first.length + last.length) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.endsWith(last) && at <= name.length - last.length
}
