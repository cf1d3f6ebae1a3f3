/** The checks of what nodes load: boot programs, kernel, stage 1, root file system. */

import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { headBytes } from '../../archive/format.js'
import { accept } from '../../server/catalog/acceptance.js'
import { judgeName } from '../../server/catalog/names.js'
import { chooseBootFiles } from '../../server/netboot/boot-files.js'
import { ProgramStore } from '../../server/netboot/program-store.js'
import { createLog } from '../../server/process/log.js'
import { type KernelArch, kernelArchs } from '../../src/arch.js'
import { makeCheck, type Site } from '../check.js'
import { type BootFacts, type BootPair, judgeBoot } from './judge.js'
import { kernelVersion, readStage1 } from './stage1.js'

const title = 'what nodes load'

export const bootCheck = makeCheck<BootFacts>({ name: 'boot', title, gather, judge: judgeBoot })

async function gather({ config }: Site) {
  const log = createLog({ level: 'silent', format: 'json', isTerminal: false })
  const store = new ProgramStore(config.netboot.ipxe_dir, log)
  await store.look()
  const { directories, present, missing, install } = store.stats()
  const leftOut: string[] = []
  const boot = await namesIn(join(config.artifacts_dir, 'boot'), leftOut)
  const pairs = await Promise.all(
    kernelArchs
      .filter((arch) => arch === 'x86_64' || isNamed(boot, arch))
      .map((arch) => lookAt(config.artifacts_dir, boot, arch, leftOut)),
  )
  const trust = (name: string) => readFile(join(config.data_dir, 'trust', name), 'utf8').catch(() => '')
  const facts: BootFacts = {
    programs: present,
    missing,
    directories,
    install,
    pairs,
    rootfs: await rootsIn(join(config.artifacts_dir, 'rootfs'), leftOut),
    trust: { key: (await trust('manifest.pub')).trim(), ca: await trust('ca.pem') },
  }
  return { facts, leftOut }
}

async function namesIn(path: string, leftOut: string[]): Promise<string[]> {
  try {
    return (await readdir(path)).filter((name) => judgeName(name).kind === 'artifact').sort()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') leftOut.push(`${path}: ${code}`)
    return []
  }
}

/** Those that the server would take for root file systems. */
async function rootsIn(path: string, leftOut: string[]): Promise<string[]> {
  const roots: string[] = []
  for (const name of await namesIn(path, leftOut)) {
    try {
      const { head, sizeBytes } = await readHead(join(path, name))
      if (accept({ kind: 'rootfs', name, head, sizeBytes }).ok) roots.push(name)
    } catch (error) {
      leftOut.push(`${join(path, name)}: ${(error as NodeJS.ErrnoException).code}`)
    }
  }
  return roots
}

async function readHead(path: string): Promise<{ head: Uint8Array; sizeBytes: number }> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
    return { head: buffer.subarray(0, bytesRead), sizeBytes: size }
  } finally {
    await file.close()
  }
}

/** Whether a file names this architecture and no pair of another would take it. */
function isNamed(names: readonly string[], arch: KernelArch): boolean {
  return names.some((name) => half([name], arch) !== undefined)
}

/** Kernel or stage 1 alone: the choice is made with a partner that fits any. */
function half(names: readonly string[], arch: KernelArch): { kernel?: string; stage1?: string } | undefined {
  const files = names.map((name) => ({ name }))
  const kernel = chooseBootFiles([...files, { name: `stage1-${arch}` }], arch)?.kernel.name
  const stage1 = chooseBootFiles([...files, { name: `vmlinuz-${arch}` }], arch)?.stage1.name
  if (kernel === undefined && stage1 === undefined) return undefined
  return { ...(kernel === undefined ? {} : { kernel }), ...(stage1 === undefined ? {} : { stage1 }) }
}

async function lookAt(
  artifacts: string,
  names: readonly string[],
  arch: KernelArch,
  leftOut: string[],
): Promise<BootPair> {
  const { kernel, stage1 } = half(names, arch) ?? {}
  const path = (name: string) => join(artifacts, 'boot', name)
  const version = kernel === undefined ? undefined : await kernelVersion(path(kernel)).catch(() => undefined)
  const contents =
    stage1 === undefined
      ? undefined
      : await readStage1(path(stage1)).catch((error: Error) => {
          leftOut.push(`${path(stage1)}: ${error.message}`)
          return undefined
        })
  if (contents?.unknown !== undefined) leftOut.push(`what is in ${stage1}: ${contents.unknown}`)
  return { arch, kernel, stage1, version, contents }
}
