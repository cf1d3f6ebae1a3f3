/**
 * Makes the demo's site: a root file system and two plugins out of real files of this checkout and this
 * machine, packed as an operator would pack them. Nothing here is needed by a real site.
 */
import { execFile } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What the demo's nodes boot from. */
export interface DemoSite {
  readonly artifactsDir: string
  /** All artifacts together, as they go over the wire. */
  readonly payloadBytes: number
}

/** What becomes the bulk of the root file system: packages that are there wherever the server runs. */
export const bulkPackages = ['better-sqlite3', 'fastify', 'pino', 'webtorrent', 'yaml', 'zod'] as const

/**
 * Packs the site into `directory`/artifacts; an earlier one is replaced.
 * @param checkout where the project's own files lie
 * @param agent the agent's executable, which becomes a plugin
 */
export async function makeDemoSite(checkout: string, agent: string, directory: string): Promise<DemoSite> {
  const stage = join(directory, 'stage')
  const artifactsDir = join(directory, 'artifacts')
  await rm(stage, { recursive: true, force: true })
  for (const name of ['rootfs', 'plugins', 'boot']) await mkdir(join(artifactsDir, name), { recursive: true })

  const rootfs = join(stage, 'rootfs')
  for (const name of ['etc', 'usr/bin', 'usr/lib', 'usr/share', 'proc', 'sys', 'dev', 'tmp']) {
    await mkdir(join(rootfs, name), { recursive: true })
  }
  await writeFile(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await writeFile(join(rootfs, 'etc/group'), 'root:x:0:\n')
  // The demo's nodes never start it, but a root without one is none.
  await writeFile(join(rootfs, 'usr/bin/init'), '#!/bin/sh\nexec sh\n', { mode: 0o755 })
  await writeFile(join(rootfs, 'etc/os-release'), 'ID=bootswarm-demo\nPRETTY_NAME="bootswarm demo"\n')
  await run('ln', ['-s', 'usr/bin', join(rootfs, 'bin')])
  await run('ln', ['-s', 'usr/lib', join(rootfs, 'lib')])
  for (const name of bulkPackages.map((each) => join('node_modules', each))) {
    await cp(join(checkout, name), join(rootfs, 'usr/lib', name), { recursive: true, verbatimSymlinks: true })
  }

  const documents = join(stage, 'docs')
  await cp(join(checkout, 'docs'), join(documents, 'usr/share/doc/bootswarm'), { recursive: true })
  const tools = join(stage, 'agent')
  await mkdir(join(tools, 'bin'), { recursive: true })
  await copyFile(agent, join(tools, 'bin/bootswarm-agent'))
  await chmod(join(tools, 'bin/bootswarm-agent'), 0o755)

  const files = [
    await pack(rootfs, join(artifactsDir, 'rootfs'), 'demo-root.tar.gz'),
    await pack(tools, join(artifactsDir, 'plugins'), 'coinboot_agent_0.1_20260101.0000.tar.gz'),
    await pack(documents, join(artifactsDir, 'plugins'), 'coinboot_docs_0.1_20260101.0000.tar.gz'),
  ]
  await rm(stage, { recursive: true, force: true })
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  return { artifactsDir, payloadBytes: sizes.reduce((sum, size) => sum + size, 0) }
}

/** A tar like one made by root, the same for the same files, moved into place whole. */
async function pack(from: string, to: string, name: string): Promise<string> {
  const temporary = join(to, `.${name}.tmp`)
  const owner = ['--owner=root:0', '--group=root:0', '--sort=name', '--mtime=@1767225600']
  // The fastest compression: the demo is about the swarm.
  await run('tar', [...owner, '-I', 'gzip -1 -n', '-cf', temporary, '-C', from, '.'])
  await rename(temporary, join(to, name))
  return join(to, name)
}
