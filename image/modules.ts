/**
 * Chooses kernel modules with all that they need, and makes the tables that busybox's modprobe reads. What a module
 * needs is read from the module itself: a Debian package has no modules.dep before it is installed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { BootswarmError } from '../src/errors.js'
import { decompressed } from './compress.js'
import { type ModuleInfo, moduleName, readModuleInfo } from './modinfo.js'

/** A module that goes into stage 1. */
export interface ChosenModule {
  readonly name: string
  /** Below the directory of modules, uncompressed: `kernel/drivers/net/phy/realtek.ko`. */
  readonly path: string
  /** Uncompressed. */
  readonly data: Buffer
  readonly info: ModuleInfo
  /** Names of the modules that must be loaded before it, in an order that works. */
  readonly before: readonly string[]
}

/** Chosen modules, each after those that it needs. */
export interface ModuleSet {
  readonly modules: readonly ChosenModule[]
  /** What was asked for and is part of the kernel itself. */
  readonly builtin: readonly string[]
}

const suffix = /\.ko(\.(xz|zst|gz))?$/

/**
 * The modules of these names with all that they need, from a directory such as `/lib/modules/6.1.0-56-amd64`.
 * @throws {BootswarmError} IMAGE_FAILED for one that is not there, or that needs one that is not there
 */
export async function chooseModules(dir: string, names: readonly string[]): Promise<ModuleSet> {
  const files = new Map(
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((path) => suffix.test(path))
      .sort()
      .map((path) => [moduleName(basename(path).replace(suffix, '')), path]),
  )
  const inKernel = readBuiltin(dir)
  const chosen = new Map<string, ChosenModule>()
  const builtin = new Set<string>()
  const add = async (name: string, wantedBy: readonly string[]): Promise<void> => {
    if (chosen.has(name)) return
    const path = files.get(name)
    if (path === undefined) {
      if (inKernel.has(name)) {
        builtin.add(name)
        return
      }
      const by = wantedBy.length > 0 ? `, which ${wantedBy.join(' and ')} needs` : ''
      throw failed(`${dir} has no module ${name}${by}`)
    }
    if (wantedBy.includes(name))
      throw failed(`module ${name} needs itself: ${[...wantedBy, name].join(', ')}`)
    const data = await decompressed(path, readFileSync(join(dir, path)))
    const info = readModuleInfo(data, path)
    const before: string[] = []
    const needs = (needed: string) => {
      const module = chosen.get(needed)
      if (module === undefined) return
      for (const one of [...module.before, needed]) if (!before.includes(one)) before.push(one)
    }
    for (const needed of info.depends) {
      await add(needed, [...wantedBy, name])
      needs(needed)
    }
    // What would only be good to have may be missing.
    for (const wanted of info.wants.filter((one) => files.has(one))) {
      await add(wanted, [...wantedBy, name])
      needs(wanted)
    }
    chosen.set(name, { name, path: path.replace(suffix, '.ko'), data, info, before })
  }
  for (const name of names) await add(moduleName(name), [])
  return { modules: [...chosen.values()], builtin: [...builtin] }
}

/** The file modules.dep: each line a module, then what it needs, the first to be loaded last. */
export function modulesDep(modules: readonly ChosenModule[]): string {
  const pathOf = new Map(modules.map(({ name, path }) => [name, path]))
  return modules
    .map(
      ({ path, before }) =>
        `${path}:${before
          .map((name) => ` ${pathOf.get(name)}`)
          .reverse()
          .join('')}\n`,
    )
    .join('')
}

/** The file modules.alias: which devices want which module. */
export function modulesAlias(modules: readonly ChosenModule[]): string {
  return modules.flatMap(({ name, info }) => info.aliases.map((alias) => `alias ${alias} ${name}\n`)).join('')
}

function readBuiltin(dir: string): ReadonlySet<string> {
  const file = join(dir, 'modules.builtin')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return new Set(lines.filter((line) => line !== '').map((line) => moduleName(basename(line, '.ko'))))
}

function failed(message: string): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', message)
}
