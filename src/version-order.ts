/**
 * Orders names that hold versions as people read them: digits by their number, `~` and release candidates before the
 * release. dpkg's rule (deb-version(7)), for any name. Pure.
 */

/** `6.1-rc3` and `2.0beta1` come before `6.1` and `2.0`; dpkg says so only of `6.1~rc3`. */
const preRelease = /[-_.+]?(?<![a-z])(alpha|beta|pre|rc)(?=[-_.]?\d|$|[-_.])/gi

/** File endings are no part of a version: `2.0.tar.gz` is older than `2.0.1.tar.gz` (as in GNU's filevercmp). */
const endings = /(?:\.[a-z~][a-z0-9~]*)*$/i

/** Negative if `a` is the older one. Names that differ are never equal: bytes decide in the end. */
export function compareVersions(a: string, b: string): number {
  const [wholeA, wholeB] = [a.replace(preRelease, '~$1'), b.replace(preRelease, '~$1')]
  return (
    compareParts(wholeA.replace(endings, ''), wholeB.replace(endings, '')) ||
    compareParts(wholeA, wholeB) ||
    Buffer.compare(Buffer.from(a), Buffer.from(b))
  )
}

/** In turns: what is no digit, character by character, then digits as a number of any length. */
function compareParts(a: string, b: string): number {
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a, i) - weight(b, j)
      if (difference !== 0) return difference
      i += 1
      j += 1
    }
    const [endA, endB] = [endOfDigits(a, i), endOfDigits(b, j)]
    const [numberA, numberB] = [digits(a, i, endA), digits(b, j, endB)]
    const difference = numberA.length - numberB.length || (numberA < numberB ? -1 : numberA > numberB ? 1 : 0)
    if (difference !== 0) return difference
    i = endA
    j = endB
  }
  return 0
}

/** `~` before the end, the end (or a digit) before letters, letters before everything else. */
function weight(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0
  const code = text.charCodeAt(at)
  if (code === 0x7e) return -1
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
  return isLetter ? code : code + 0x100
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0x30 && code <= 0x39
}

function endOfDigits(text: string, from: number): number {
  let at = from
  while (at < text.length && isDigit(text, at)) at += 1
  return at
}

/** Without leading zeros, so that the longer one is the greater. */
function digits(text: string, from: number, to: number): string {
  return text.slice(from, to).replace(/^0+/, '')
}
