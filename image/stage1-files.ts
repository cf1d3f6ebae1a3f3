/** What lies in stage 1: the members of its archives. Pure but for reading the scripts in stage1/. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Member, parentsOf } from '../archive/cpio-writer.js'
import type { Content } from './compress.js'
import { type ModuleSet, modulesAlias, modulesDep } from './modules.js'

/** What stage 1 is made from. */
export interface Stage1Parts {
  /** `uname -r` of the kernel. */
  readonly release: string
  readonly modules: ModuleSet
  readonly busybox: Uint8Array
  readonly agent: Uint8Array
  /** Contents of `ca.pem` and `manifest.pub`. */
  readonly trust: { readonly ca: string; readonly manifestKeys: string }
}

/** One of the archives that stage 1 is a chain of; the kernel unpacks one after the other. */
export interface Stage1Archive {
  readonly content: Content
  readonly members: readonly Member[]
}

/** Scripts below /lib/bootswarm; those that are run by name are executable. */
const scripts: readonly (readonly [name: string, mode: number])[] = [
  ['address', 0o644],
  ['dhcp', 0o755],
  ['mount-root', 0o755],
  ['network', 0o644],
  ['root', 0o644],
  ['words', 0o644],
]

/** Programs and modules apart: each is compressed in the way that suits it. `scriptsDir` is `image/stage1`. */
export function stage1Archives(parts: Stage1Parts, scriptsDir: string): readonly Stage1Archive[] {
  const { release, modules, busybox, agent, trust } = parts
  const script = (name: string) => readFileSync(join(scriptsDir, name))
  const file = (path: string, mode: number, data: Uint8Array | string): Member => ({
    kind: 'file',
    path,
    mode,
    data: typeof data === 'string' ? Buffer.from(data) : data,
  })
  const link = (path: string): Member => ({ kind: 'link', path, target: '/bin/busybox' })
  const programs: Member[] = [
    file('bin/busybox', 0o755, busybox),
    file('bin/bootswarm-agent', 0o755, agent),
    link('bin/sh'),
    // The kernel itself calls this one when a driver asks for another.
    link('sbin/modprobe'),
    // The kernel opens it for /init before anything is mounted.
    { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    file('init', 0o755, script('init')),
    ...scripts.map(([name, mode]) => file(`lib/bootswarm/${name}`, mode, script(name))),
  ]
  // Apart: the others are the same for every site, and so is what they are compressed to.
  const site: Member[] = [
    file('etc/bootswarm/ca.pem', 0o644, trust.ca),
    file('etc/bootswarm/manifest.pub', 0o644, trust.manifestKeys),
  ]
  const base = `lib/modules/${release}`
  const drivers: Member[] = [
    ...[...modules.modules]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, data }) => file(`${base}/${path}`, 0o644, data)),
    file(`${base}/modules.alias`, 0o644, modulesAlias(modules.modules)),
    file(`${base}/modules.dep`, 0o644, modulesDep(modules.modules)),
  ]
  return [
    { content: 'programs', members: [...parentsOf(programs), ...programs] },
    { content: 'modules', members: [...parentsOf(drivers), ...drivers] },
    { content: 'trust', members: [...parentsOf(site), ...site] },
  ]
}
