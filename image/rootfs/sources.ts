/** Where the packages of a root come from, and the date that identifies them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { defaultMirror } from '../debian.js'
import { run } from '../run-program.js'

/** The mirror of Debian that apt on this machine uses for the suite, else for any suite; else Debian's own name. */
export async function hostMirror(suite: string): Promise<string> {
  const format = '$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(LABEL)'
  const text = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']).catch(() =>
    Buffer.alloc(0),
  )
  return mirrorAmong(text.toString(), suite) ?? defaultMirror
}

/** Picks the mirror from the lines `URI|suite|origin|label` of `apt-get indextargets`. */
export function mirrorAmong(lines: string, suite: string): string | undefined {
  const mirrors = lines
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([uri, , origin, label]) => origin === 'Debian' && label === 'Debian' && uri?.includes('://'))
  const [uri] = mirrors.find(([, release]) => release === suite) ?? mirrors[0] ?? []
  return uri?.replace(/\/+$/, '')
}

/**
 * The lines of the root's sources.list: the suite with its updates and security archive as far as the mirror has them
 * by the usual names.
 */
export function sourceLines(suite: string, mirror: string, components: readonly string[]): string[] {
  const parts = components.join(' ')
  const lines = [`deb ${mirror} ${suite} ${parts}`]
  if (/^(sid|unstable|testing|experimental)$/.test(suite)) return lines
  lines.push(`deb ${mirror} ${suite}-updates ${parts}`)
  if (mirror.endsWith('/debian')) lines.push(`deb ${mirror}-security ${suite}-security ${parts}`)
  return lines
}

/**
 * When the suite was released last, seconds since 1970: the youngest time in a root made of it, and so the same for
 * all roots of the same packages. `SOURCE_DATE_EPOCH` wins.
 *
 * @throws {BootswarmError} USAGE_INVALID for a strange SOURCE_DATE_EPOCH, PACKAGE_MISSING if the mirror has no such suite
 */
export async function releaseEpochS(suite: string, mirror: string, env: NodeJS.ProcessEnv): Promise<number> {
  const given = env.SOURCE_DATE_EPOCH
  if (given !== undefined && given !== '') {
    if (/^[0-9]{1,10}$/.test(given)) return Number(given)
    throw new BootswarmError(
      'USAGE_INVALID',
      `SOURCE_DATE_EPOCH is no number of seconds: ${given.slice(0, 40)}`,
    )
  }
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-release-'))
  try {
    const file = join(directory, 'InRelease')
    // apt's own downloader, because it knows this machine's proxies.
    await run('/usr/lib/apt/apt-helper', ['download-file', `${mirror}/dists/${suite}/InRelease`, file])
    return releaseDateS(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof BootswarmError && error.code === 'TOOL_MISSING') throw error
    throw new BootswarmError('PACKAGE_MISSING', `no suite ${suite} at ${mirror}: ${(error as Error).message}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The date of a Release file, seconds since 1970. @throws Error if there is none */
export function releaseDateS(text: string): number {
  const ms = Date.parse(/^Date: (.+)$/m.exec(text)?.[1] ?? '')
  if (Number.isNaN(ms)) throw new Error('its Release file has no date')
  return ms / 1000
}
