/**
 * A real Debian root for tests, made by `image rootfs` itself once for each recipe and kept below .cache: the first call
 * of a checkout takes about half a minute of processor. Its consoles are root's without a password.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build, mmdebstrapArgs, planBuild } from '../../image/rootfs/build.js'
import { customizeScript } from '../../image/rootfs/contents.js'
import { parseRootfsOptions } from '../../image/rootfs-options.js'
import { checkout } from './scratch.js'

let made: Promise<string> | undefined

/** The path of a `.tar.zst`; several calls at once share one build. */
export function debianRoot(): Promise<string> {
  made ??= make()
  return made
}

async function make(): Promise<string> {
  const cache = join(checkout, '.cache')
  mkdirSync(cache, { recursive: true })
  // Level 3 instead of 19: a minute less.
  const flags = ['--root-login', 'console', '--level', '3', '--out', `${cache}/`]
  const first = parseRootfsOptions(flags)
  if (first === 'help' || first.kind !== 'build') throw new Error('not a build')
  const plan = await planBuild(first, cache, process.env)
  const { epochS } = plan
  const recipe = { sshKeys: [], consoleLogin: true, epochS, kernelRelease: undefined }
  const key = createHash('sha256')
    .update(mmdebstrapArgs(plan, customizeScript(recipe)).join('\n'))
    .digest('hex')
  const options = parseRootfsOptions([...flags, '--name', `test-root-${key.slice(0, 12)}`])
  if (options === 'help' || options.kind !== 'build') throw new Error('not a build')
  const { output } = await planBuild(options, cache, process.env)
  if (existsSync(output.file)) return output.file
  await build(options, { ...plan, output }, new AbortController().signal, () => {})
  return output.file
}
