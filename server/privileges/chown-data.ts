/**
 * Gives a data directory that an earlier run as another user made to the user that the server becomes: the directory, and the files in it
 * that bootswarm makes. It follows no links: each file is opened with O_NOFOLLOW, then checked and chowned
 * by its descriptor, so that a user who can write there gains no other file.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
  realpathSync,
  type Stats,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Account } from './account.js'
import type { MissingAccess } from './missing-access.js'
import { shellQuote } from './shell-quote.js'

/** A data directory. These names decide which files in it are bootswarm's. */
export interface DataPlace {
  readonly dataDir: string
  /** The SQLite file, wherever it lies. */
  readonly database: string
  /** May be in the data directory; its owner is not changed. */
  readonly artifactsDir?: string | undefined
}

interface Gift {
  readonly account: Account
  readonly owners: readonly number[]
}

/** What bootswarm keeps in the folders of a data directory. */
const folders: Readonly<Record<string, RegExp>> = {
  keys: /^(\.?(ca|server|manifest)\.(key|pem)(\.[0-9]+\.tmp)?)$/,
  trust: /^(\.?(ca\.pem|manifest\.pub)(\.[0-9]+\.tmp)?)$/,
  run: /^ports\.json(\.tmp)?$/,
  store: /^([0-9a-f]{64}|tmp-[0-9-]+)$/,
}

/** Left alone: the demo manages its own directory, `lost+found` belongs to the file system, and each start makes the socket anew. */
const left = ['demo', 'lost+found', 'operators.sock']

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
/** O_NONBLOCK: opening a FIFO in a file's place must not block. */
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Changes the owner of all of bootswarm's files that belong to one of `owners` (uids) to the account. Returns the
 * reason if it must not, and then changes nothing.
 *
 * @throws the system's error (EPERM on a file system without owners)
 */
export function chownData(
  account: Account,
  place: DataPlace,
  owners: readonly number[],
): MissingAccess | undefined {
  const { dataDir, database, artifactsDir } = place
  // The operator's own links above it are fine; its last name is opened as it is.
  const path = join(realpathSync(dirname(dataDir)), basename(dataDir))
  let directory: number
  try {
    directory = openSync(path, directoryFlags)
  } catch {
    return {
      path: dataDir,
      reason: `${dataDir} is a link or no directory`,
      remedy: 'name the directory itself as data_dir',
    }
  }
  try {
    const stats = fstatSync(directory)
    const given = stats.uid === account.uid
    if (!given && !owners.includes(stats.uid)) return foreign(account, dataDir, 'belongs to another user')
    const inIt = dirname(database) === dataDir
    const ours = (name: string) => isOwn(name, inIt ? basename(database) : undefined)
    const ignored = [
      ...left,
      ...(artifactsDir !== undefined && dirname(artifactsDir) === dataDir ? [basename(artifactsDir)] : []),
    ]
    const names = readdirSync(inside(directory, '.'))
    const gift = { account, owners }
    const strange = names.find(
      (name) => !(Object.hasOwn(folders, name) || ours(name) || ignored.includes(name)),
    )
    // A directory with other content, such as /var/lib or a checkout, keeps its owner.
    if (!given && strange !== undefined) {
      return foreign(account, dataDir, `holds ${JSON.stringify(strange)}, which is not bootswarm's`)
    }
    // The innermost first: while the directory is root's, no other user changes what is in it.
    for (const name of names) {
      const files = Object.hasOwn(folders, name) ? folders[name] : undefined
      if (files !== undefined) giveFolder(gift, directory, name, files)
      else if (ours(name)) giveFile(gift, directory, name)
    }
    if (!inIt) giveDatabase(gift, database)
    if (!given) fchownSync(directory, account.uid, account.gid)
    return undefined
  } finally {
    closeSync(directory)
  }
}

/** The lock and the database with what SQLite and a repair leave beside them. */
function isOwn(name: string, database: string | undefined): boolean {
  return ['lock', ...(database === undefined ? [] : [database])].some(
    (file) =>
      name === file ||
      (name.startsWith(file) &&
        /^(\.corrupt-[0-9TZ-]+)?(-wal|-shm|-journal)?$/.test(name.slice(file.length))),
  )
}

function foreign({ name }: Account, dataDir: string, why: string): MissingAccess {
  return {
    path: dataDir,
    reason: `the data directory ${dataDir} ${why}`,
    remedy: `chown -R ${name} ${shellQuote(dataDir)}, or name another as data_dir`,
  }
}

function giveFolder(gift: Gift, above: number, name: string, files: RegExp): void {
  withOpen(above, name, directoryFlags, (folder, stats) => {
    const { account, owners } = gift
    const given = stats.uid === account.uid
    if (!given && !owners.includes(stats.uid)) return
    for (const file of readdirSync(inside(folder, '.'))) {
      if (files.test(file)) giveFile(gift, folder, file)
    }
    if (!given) fchownSync(folder, account.uid, account.gid)
  })
}

function giveDatabase(gift: Gift, database: string): void {
  const folder = openSync(dirname(database), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    for (const name of readdirSync(inside(folder, '.'))) {
      if (name !== 'lock' && isOwn(name, basename(database))) giveFile(gift, folder, name)
    }
  } finally {
    closeSync(folder)
  }
}

/** A file with a second hard link may be a trap: its owner is not changed. */
function giveFile({ account, owners }: Gift, above: number, name: string): void {
  withOpen(above, name, fileFlags, (file, stats) => {
    if (owners.includes(stats.uid) && stats.isFile() && stats.nlink === 1)
      fchownSync(file, account.uid, account.gid)
  })
}

/** Opens a name within an open directory; a link, or what is gone by now, is left alone. */
function withOpen(above: number, name: string, flags: number, run: (fd: number, stats: Stats) => void): void {
  let fd: number
  try {
    fd = openSync(inside(above, name), flags)
  } catch {
    return
  }
  try {
    run(fd, fstatSync(fd))
  } finally {
    closeSync(fd)
  }
}

function inside(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`
}
