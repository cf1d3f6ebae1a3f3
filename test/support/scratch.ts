/** A folder of a test's own, removed with it. */
import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The checkout (this file runs as dist/test/support/scratch.js). */
export const checkout = fileURLToPath(new URL('../../..', import.meta.url))

/** A new folder below the system's temporary one. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-test-'))
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}

/** SHA-256 of a file, hex. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
