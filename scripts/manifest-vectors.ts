/**
 * Makes test/vectors/manifest/: bodies that both languages must take, or refuse with the same code.
 * `node dist/scripts/manifest-vectors.js` writes them; a test holds the files against this program.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { envelopeCases } from './vectors/envelope.js'
import { goodCases, limitCases, shapeCases } from './vectors/members.js'

/** Where the files are, below the repository's top. */
export const VECTORS_DIR = 'test/vectors/manifest'

/** The text of each file: an array of ManifestCase. */
export function manifestVectorFiles(): Map<string, string> {
  const files = { good: goodCases(), envelope: envelopeCases(), shape: shapeCases(), limits: limitCases() }
  return new Map(
    Object.entries(files).map(([name, cases]) => [
      `${name}.json`,
      `${JSON.stringify(cases, null, 2)}
`,
    ]),
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  mkdirSync(VECTORS_DIR, { recursive: true })
  for (const [name, text] of manifestVectorFiles()) writeFileSync(join(VECTORS_DIR, name), text)
}
