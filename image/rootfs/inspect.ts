/** What a root file system holds, and what the operator should know of it before 500 nodes boot it. No I/O. */
import type { Member, OnMember } from '../../archive/members.js'

/** What was found out. */
export interface Facts {
  readonly members: number
  /** Bytes of all files: what the root takes in a node's memory. */
  readonly unpackedBytes: number
  /** Path of the init that stage 1 would run. */
  readonly init: string | undefined
  readonly devices: number
  readonly hardLinks: number
  readonly absoluteLinks: number
  readonly setuid: number
  readonly capabilities: number
  /** Releases of kernels that modules are there for. */
  readonly kernels: readonly string[]
  /** Whether ssh logins as root are possible. */
  readonly authorizedKeys: boolean
}

/** Something that should be otherwise. `refused`: agents do not unpack it; `unbootable`: nodes would unpack and then stop. */
export interface Finding {
  readonly weight: 'refused' | 'unbootable' | 'warning'
  readonly text: string
}

/** Where stage 1 looks for an init, in its order. */
const inits = ['sbin/init', 'usr/lib/systemd/systemd', 'lib/systemd/systemd', 'etc/init', 'bin/init'] as const

/** Links that are followed on the way to one file (the kernel's own bound). */
const LINKS_MAX = 40
/** Names that one finding lists. */
const LISTED_MAX = 5

/** Gathers facts of one root file system. */
export class Inspection {
  /** What is at each path: where a link leads, or nothing. */
  readonly #paths = new Map<string, string | undefined>()
  readonly #escapes: string[] = []
  readonly #strange: string[] = []
  readonly #hostKeys: string[] = []
  readonly #open: string[] = []
  readonly #kernels = new Set<string>()
  #identity = false
  #authorizedKeys = false
  #members = 0
  #unpackedBytes = 0
  #devices = 0
  #hardLinks = 0
  #absoluteLinks = 0
  #setuid = 0
  #capabilities = 0

  /** For the reader of the archive. */
  readonly onMember: OnMember = (member) => this.#see(member)

  /** What was found. */
  facts(): Facts {
    return {
      members: this.#members,
      unpackedBytes: this.#unpackedBytes,
      init: inits.map((path) => this.#resolve(path)).find((path) => path !== undefined),
      devices: this.#devices,
      hardLinks: this.#hardLinks,
      absoluteLinks: this.#absoluteLinks,
      setuid: this.#setuid,
      capabilities: this.#capabilities,
      kernels: [...this.#kernels].sort(),
      authorizedKeys: this.#authorizedKeys,
    }
  }

  /** What should be otherwise, the worst first. */
  findings(): Finding[] {
    const found: Finding[] = []
    const add = (weight: Finding['weight'], names: readonly string[], text: string) => {
      if (names.length > 0) found.push({ weight, text: `${text}: ${listed(names)}` })
    }
    add('refused', this.#escapes, 'names that lead out of the root')
    add(
      'refused',
      this.#strange,
      'members of a kind that agents do not unpack (sparse files, parts of several volumes)',
    )
    if (this.facts().init === undefined) {
      const text = `no init: none of ${inits.map((path) => `/${path}`).join(', ')} is there`
      found.push({ weight: 'unbootable', text })
    }
    add('warning', this.#hostKeys, 'ssh host keys, which all nodes would share')
    add('warning', this.#open, 'users with a password that all nodes would share, or with none')
    if (this.#identity) {
      found.push({
        weight: 'warning',
        text: '/etc/machine-id is not empty: all nodes would have that identity',
      })
    }
    return found
  }

  #see(member: Member): ((content: Buffer) => void) | undefined {
    const { kind, name, target, mode, xattrs, sizeBytes } = member
    const path = normal(name)
    this.#members += 1
    if (escapes(name) || (kind === 'hard link' && escapes(target ?? ''))) this.#escapes.push(name)
    if (kind === 'strange') this.#strange.push(name)
    if (path !== '') this.#paths.set(path, kind === 'link' ? target : undefined)
    if (kind === 'file') this.#unpackedBytes += sizeBytes
    if (kind === 'device') this.#devices += 1
    if (kind === 'hard link') this.#hardLinks += 1
    if (kind === 'link' && target?.startsWith('/') === true) this.#absoluteLinks += 1
    if (kind === 'file' && (mode & 0o6000) !== 0) this.#setuid += 1
    if (xattrs.includes('security.capability')) this.#capabilities += 1
    const [, release] = /^(?:usr\/)?lib\/modules\/([^/]+)\/kernel(?:\/|$)/.exec(path) ?? []
    if (release !== undefined) this.#kernels.add(release)
    if (kind !== 'file') return undefined
    if (/^etc\/ssh\/ssh_host_[a-z0-9]+_key$/.test(path)) this.#hostKeys.push(`/${path}`)
    if (path === 'root/.ssh/authorized_keys' && sizeBytes > 0) this.#authorizedKeys = true
    if (path === 'etc/shadow') return (content) => this.#shadow(content.toString('utf8'))
    if (path === 'etc/machine-id') return (content) => this.#machineId(content.toString('utf8'))
    return undefined
  }

  #shadow(text: string): void {
    for (const line of text.split('\n')) {
      const [user = '', password] = line.split(':')
      // `*` and `!...` match no password (shadow(5)).
      if (password !== undefined && !/^[*!]/.test(password)) this.#open.push(user)
    }
  }

  #machineId(text: string): void {
    this.#identity = /^[0-9a-f]{32}/.test(text)
  }

  /** Follows links inside the root; undefined if nothing is there in the end. */
  #resolve(path: string): string | undefined {
    let rest = path.split('/')
    let done: string[] = []
    for (let links = 0; rest.length > 0; ) {
      const [first = '', ...others] = rest
      rest = others
      if (first === '' || first === '.') continue
      if (first === '..') {
        done = done.slice(0, -1)
        continue
      }
      const here = [...done, first]
      const target = this.#paths.get(here.join('/'))
      if (target === undefined) {
        done = here
        continue
      }
      links += 1
      if (links > LINKS_MAX) return undefined
      if (target.startsWith('/')) done = []
      rest = [...target.split('/'), ...rest]
    }
    const end = done.join('/')
    return this.#paths.has(end) ? `/${end}` : undefined
  }
}

/** A name without what does not tell files apart: `./usr//bin/` is `usr/bin`. */
function normal(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}

function escapes(name: string): boolean {
  return name.split('/').includes('..')
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED_MAX).map((name) => JSON.stringify(name.slice(0, 100)).slice(1, -1))
  const more = names.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
