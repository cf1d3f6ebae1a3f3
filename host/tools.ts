/**
 * Finds the programs that building and testing need. A missing one is installed from Debian's packages
 * where we may (root, apt-get), else named with the command that installs it.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { BootswarmError } from '../src/errors.js'
import { complain } from './console.js'

/** A program (or a check for a library) and the Debian package that brings it. */
export interface Tool {
  readonly name: string
  /** Several names, where releases differ: the first that the release has is taken. */
  readonly debianPackage: string | readonly [string, ...string[]]
  /** How to tell that it is there; by default the name is looked up in PATH. */
  readonly present?: () => boolean
}

/** Whether an executable of this name is in PATH. */
export function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Whether python3 can import a module. */
export function pythonHas(module: string): boolean {
  return spawnSync('/usr/bin/python3', ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0
}

/**
 * Makes sure that all tools are there.
 * @throws {BootswarmError} TOOL_MISSING with the command that installs them.
 */
export function ensureTools(tools: readonly Tool[]): void {
  const absent = () => tools.filter((tool) => !(tool.present?.() ?? onPath(tool.name)))
  let missing = absent()
  if (missing.length === 0) return
  const mayInstall = process.getuid?.() === 0 && onPath('apt-get')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  if (mayInstall) spawnSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 2, 2], env })
  const packages = [...new Set(missing.map(packageOf))]
  if (mayInstall) {
    complain(`installing ${packages.join(' ')}`)
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
      stdio: ['ignore', 2, 2],
      env,
    })
    missing = absent()
    if (missing.length === 0) return
  }
  const names = missing.map((tool) => tool.name).join(', ')
  throw new BootswarmError('TOOL_MISSING', `missing: ${names}; sudo apt-get install -y ${packages.join(' ')}`)
}

/** The name that this release has for the tool's package. */
function packageOf({ debianPackage }: Tool): string {
  if (typeof debianPackage === 'string') return debianPackage
  const known = (name: string) => spawnSync('apt-cache', ['show', name], { stdio: 'ignore' }).status === 0
  return debianPackage.find(known) ?? debianPackage[0]
}
