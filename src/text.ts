/**
 * Text that others chose (events, packets, file names, errors that quote them) as text that is safe to show: on a terminal,
 * in a log, in a page. What can move the cursor, hide, or reorder what is read becomes an escape as in JSON.
 *
 * Backslashes stay: showing a text twice is showing it once, so whoever composes a line may do it and whoever prints it does.
 */

/** Characters of a line for people. */
export const PRINTABLE_LENGTH_MAX = 1024

/**
 * Control characters (C0, DEL, C1), formatting characters (bidi controls, zero-width ones, tags), halves of surrogate pairs,
 * private and unassigned code points, line and paragraph separators, and what fonts leave out (Unicode Standard Annex 44).
 */
const unsafe = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
/** The same without the line feeds of JSON's own layout. */
const unsafeInJson = new RegExp(`(?!\\n)${unsafe.source}`, 'gu')

const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** One line of at most `lengthMax` characters; `…` stands for what was cut off, never half a character. */
export function printable(text: string, lengthMax = PRINTABLE_LENGTH_MAX): string {
  if (text.length <= lengthMax && !unsafe.test(text)) return text
  let shown = ''
  let length = 0
  for (const character of text) {
    const part = unsafe.test(character) ? (shortEscapes[character] ?? escapeUnits(character)) : character
    length += part === character ? 1 : part.length
    if (length > lengthMax) return `${shown}…`
    shown += part
  }
  return shown
}

/** JSON that says the same to programs and is safe to show; with `indent` on lines of its own. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(unsafeInJson, escapeUnits)
}

/** Each UTF-16 unit as `\u001b`, which JSON reads too. */
function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }).join('')
}
