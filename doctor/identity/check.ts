/** The checks of the data directory: permissions of keys, certificate, CA. */

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCheck, type Site } from '../check.js'
import { type IdentityFacts, judgeIdentity, type PathFacts } from './judge.js'

export const identityCheck = makeCheck<IdentityFacts>({
  name: 'identity',
  title: 'keys and certificates',
  gather,
  judge: judgeIdentity,
})

async function gather({ config, server }: Site) {
  const leftOut: string[] = []
  const keysDir = join(config.data_dir, 'keys')
  const paths = async (names: readonly string[]) =>
    (await Promise.all(names.map((path) => look(path, leftOut)))).filter(
      (found): found is PathFacts => found !== undefined,
    )
  const read = (path: string) => readFile(path, 'utf8').catch(() => '')
  const facts: IdentityFacts = {
    directories: await paths([config.data_dir, keysDir]),
    keys: await paths(['ca.key', 'manifest.key', 'server.key'].map((name) => join(keysDir, name))),
    certificate: await read(join(keysDir, 'server.pem')),
    ca: await read(join(config.data_dir, 'trust', 'ca.pem')),
    serverUid: server === undefined ? undefined : await uidOf(server.pid),
  }
  return { facts, leftOut }
}

async function look(path: string, leftOut: string[]): Promise<PathFacts | undefined> {
  try {
    const { mode, uid } = await stat(path)
    return { path, mode: mode & 0o777, uid }
  } catch (error) {
    const text = 'keys and certificates: needs root, or the server’s user'
    if ((error as NodeJS.ErrnoException).code === 'EACCES' && !leftOut.includes(text)) leftOut.push(text)
    return undefined
  }
}

/** The effective user id, which the server gave root up for. */
async function uidOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
  const uid = /^Uid:\s+[0-9]+\s+([0-9]+)/m.exec(status)?.[1]
  return uid === undefined ? undefined : Number(uid)
}
