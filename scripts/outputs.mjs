// Keeps dist/ to what the sources make: tsc leaves the output of a file that was moved or deleted, and a test that
// is no more would run for ever after. Plain JavaScript because bootstrap.mjs needs it before anything is compiled.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

/** What tsc writes for X.ts (tsconfig.json). */
const OUTPUT = /\.js(\.map)?$/

/**
 * Removes each output below `dist` whose source below `root` is gone, and the folders that this empties.
 * @param {string} root the checkout
 * @param {string} dist where tsc writes
 * @returns {string[]} what was removed, relative to `dist`
 */
export function removeStaleOutputs(root, dist) {
  if (!existsSync(dist)) return []
  const removed = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && OUTPUT.test(entry.name))
    .map((entry) => relative(dist, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((name) => !existsSync(join(root, name.replace(OUTPUT, '.ts'))))
    .sort()
  for (const name of removed) {
    rmSync(join(dist, name))
    removeEmpty(dist, dirname(name))
  }
  return removed
}

/** Removes a folder, and those above it, as far as they are empty. */
function removeEmpty(dist, name) {
  if (basename(name) === '.' || readdirSync(join(dist, name)).length > 0) return
  rmdirSync(join(dist, name))
  removeEmpty(dist, dirname(name))
}
