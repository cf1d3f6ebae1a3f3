/**
 * Writes a cpio archive as the kernel unpacks it (newc, Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same members give the same bytes: owner 0, inodes counted, one time for all, names in the order given.
 */

/** A member. Directories must come before what lies in them: the kernel makes no parents. */
export type Member =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'device'
      readonly path: string
      readonly mode: number
      readonly major: number
      readonly minor: number
    }

const types = { directory: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const

/** The archive. `timeS` is the modification time of all members, seconds since 1970. */
export function cpioArchive(members: readonly Member[], timeS: number): Buffer {
  const parts: Buffer[] = []
  const seen = new Set<string>()
  for (const [index, member] of members.entries()) {
    const { path } = member
    if (
      path.startsWith('/') ||
      path.split('/').some((part) => part === '' || part === '.' || part === '..')
    ) {
      throw new Error(`no name for a member: ${path}`)
    }
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : undefined
    if (seen.has(path) || (parent !== undefined && !seen.has(parent))) {
      throw new Error(`${path} comes twice, or before its directory`)
    }
    seen.add(path)
    const data =
      member.kind === 'file'
        ? member.data
        : member.kind === 'link'
          ? Buffer.from(member.target)
          : Buffer.alloc(0)
    const mode = types[member.kind] | (member.kind === 'link' ? 0o777 : member.mode)
    const { major, minor } = member.kind === 'device' ? member : { major: 0, minor: 0 }
    parts.push(
      ...one(path, data, {
        inode: index + 1,
        mode,
        links: member.kind === 'directory' ? 2 : 1,
        timeS,
        major,
        minor,
      }),
    )
  }
  parts.push(
    ...one('TRAILER!!!', Buffer.alloc(0), { inode: 0, mode: 0, links: 1, timeS: 0, major: 0, minor: 0 }),
  )
  return Buffer.concat(parts)
}

/** Directories that members lie in, each once and before what lies in it; those that are members already are left out. */
export function parentsOf(members: readonly Member[]): Member[] {
  const paths = new Set(members.map(({ path }) => path))
  const parents = new Set<string>()
  for (const { path } of members) {
    const parts = path.split('/').slice(0, -1)
    for (let length = 1; length <= parts.length; length++) {
      const parent = parts.slice(0, length).join('/')
      if (!paths.has(parent)) parents.add(parent)
    }
  }
  return [...parents].sort().map((path) => ({ kind: 'directory', path, mode: 0o755 }))
}

interface Header {
  readonly inode: number
  readonly mode: number
  readonly links: number
  readonly timeS: number
  readonly major: number
  readonly minor: number
}

function one(path: string, data: Uint8Array, header: Header): Buffer[] {
  const name = Buffer.from(`${path}\0`)
  const { inode, mode, links, timeS, major, minor } = header
  const fields = [inode, mode, 0, 0, links, timeS, data.length, 0, 0, major, minor, name.length, 0]
  const text = fields.map((value) => value.toString(16).toUpperCase().padStart(8, '0')).join('')
  const head = Buffer.concat([Buffer.from(`070701${text}`), name])
  return [head, padding(head.length), Buffer.from(data), padding(data.length)]
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4)
}
