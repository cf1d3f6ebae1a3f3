/** Lists the members of a squashfs with `unsquashfs`: names, kinds, modes. Contents are not read. */

import { MEMBERS_MAX, type MemberKind, type OnMember, unreadable } from '../../archive/members.js'
import { run } from '../run-program.js'
import { needTools } from './host.js'

const kinds: Readonly<Record<string, MemberKind>> = {
  d: 'directory',
  '-': 'file',
  l: 'link',
  b: 'device',
  c: 'device',
  p: 'fifo',
  s: 'socket',
}

/**
 * Tells each member.
 *
 * @throws {BootswarmError} TOOL_MISSING, or IMAGE_FAILED if it is no whole squashfs
 */
export async function listSquashfs(file: string, onMember: OnMember): Promise<void> {
  needTools([{ name: 'unsquashfs', debianPackage: 'squashfs-tools' }])
  const text = await run('unsquashfs', ['-lln', '-d', '', file])
  const lines = text.toString('utf8').split('\n')
  if (lines.length > MEMBERS_MAX) throw unreadable(`more than ${MEMBERS_MAX} members`)
  for (const line of lines) tell(line, onMember)
}

/** `-rwxr-xr-x 0/0 1234 2026-07-11 10:16 /usr/bin/ping`; devices have `5, 1` in place of a size. */
function tell(line: string, onMember: OnMember): void {
  const form =
    /^([-dlbcps])([-rwxsStT]{9}) +(\d+)\/(\d+) +(?:(\d+)|\d+, *\d+) \d{4}-\d\d-\d\d \d\d:\d\d (.*)$/s
  const [, kind = '', permissions = '', uid, gid, size, path = ''] = form.exec(line) ?? []
  const known = kinds[kind]
  if (known === undefined) return
  const [name = '', target] = known === 'link' ? path.split(' -> ') : [path]
  const special = (at: number, bit: number) => (/[sStT]/.test(permissions[at] ?? '') ? bit : 0)
  onMember({
    name,
    kind: known,
    mode: special(2, 0o4000) | special(5, 0o2000) | special(8, 0o1000),
    uid: Number(uid),
    gid: Number(gid),
    sizeBytes: Number(size ?? 0),
    target,
    xattrs: [],
  })
}
