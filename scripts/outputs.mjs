// Keeps dist/ to what the sources make: tsc leaves the output of a file that was moved or deleted, and a test that
// is no more would run for ever after. Plain JavaScript because bootstrap.mjs needs it before anything is compiled.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
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

/**
 * What says whether anything that tsc reads has changed since it was last taken: names, sizes and times of the sources, and the compiler.
 * An update may bring files that are older than the outputs, so no time is compared with theirs.
 * @param {string} root the checkout
 * @returns {string}
 */
export function stampOfSources(root) {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
  const sources = include
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(folder, name)),
    )
  const others = ['tsconfig.json', 'package.json', 'node_modules/.package-lock.json']
  const hash = createHash('sha256')
  for (const name of [...sources, ...others].sort()) {
    const { size, mtimeMs, ino } = statSync(join(root, name))
    hash.update(`${name} ${size} ${mtimeMs} ${ino}\n`)
  }
  return hash.digest('hex')
}

/** Removes a folder, and those above it, as far as they are empty. */
function removeEmpty(dist, name) {
  if (basename(name) === '.' || readdirSync(join(dist, name)).length > 0) return
  rmdirSync(join(dist, name))
  removeEmpty(dist, dirname(name))
}
