/** Builds a root from Debian's packages with mmdebstrap and packs it. */
import { chmodSync, closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { TarReader } from '../../archive/tar.js'
import { BootswarmError } from '../../src/errors.js'
import type { BuildOptions } from '../rootfs-options.js'
import { basePackages, customizeScript, dpkgOptions } from './contents.js'
import { chooseMode, type Mode, needTools, thisHost } from './host.js'
import { type Facts, type Finding, Inspection } from './inspect.js'
import { addModules } from './kernel-modules.js'
import { chooseOutput, dropOutput, finishOutput, needSpace, type Output, openOutput } from './output.js'
import { packerOf } from './pack.js'
import { packStream, start } from './pipe.js'
import { hostMirror, releaseEpochS, sourceLines } from './sources.js'
import { parseKeys } from './ssh-keys.js'
import { settle } from './take.js'

/** Space that the unpacked root and the packages take at most, without those that the operator adds, bytes. */
const TREE_BYTES = 900e6
/** Space that the archive takes at most, bytes. */
const ARCHIVE_BYTES = 200e6

/** All that decides about the bytes of a root. */
export interface BuildPlan {
  readonly mode: Mode
  readonly suite: string
  readonly mirror: string
  readonly sources: readonly string[]
  readonly packages: readonly string[]
  readonly epochS: number
  readonly output: Output
}

/** Finds out what a build would do, and that it can. @throws {BootswarmError} */
export async function planBuild(
  options: BuildOptions,
  artifactsDir: string,
  env: NodeJS.ProcessEnv,
): Promise<BuildPlan> {
  const format = options.format ?? 'tar.zst'
  const { program, debianPackage } = packerOf(format, options.level, '', 0)
  needTools([
    { name: 'mmdebstrap', debianPackage: 'mmdebstrap' },
    { name: program, debianPackage },
  ])
  const mode = chooseMode(thisHost())
  const { suite, components } = options
  const mirror = (options.mirror ?? (await hostMirror(suite))).replace(/\/+$/, '')
  return {
    mode,
    suite,
    mirror,
    sources: sourceLines(suite, mirror, components),
    packages: [...new Set([...basePackages, ...options.include])].sort(),
    epochS: await releaseEpochS(suite, mirror, env),
    output: chooseOutput(options.out, artifactsDir, options.name ?? `debian-${suite}`, `.${format}`),
  }
}

/** Arguments of `mmdebstrap`; it writes the tar to standard output. */
export function mmdebstrapArgs(plan: BuildPlan, customize: string): string[] {
  return [
    '--variant=apt',
    '--format=tar',
    `--mode=${plan.mode}`,
    `--include=${plan.packages.join(',')}`,
    '--aptopt=Acquire::Languages "none"',
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    `--customize-hook=${customize}`,
    plan.suite,
    '-',
    ...plan.sources,
  ]
}

/**
 * Builds, packs and puts the archive in its place. Whatever goes wrong, nothing is left behind.
 *
 * @param say - called with a line for people about each step
 * @throws {BootswarmError}
 */
export async function build(
  options: BuildOptions,
  plan: BuildPlan,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<{ readonly facts: Facts; readonly findings: readonly Finding[] }> {
  const { output, epochS } = plan
  const sshKeys = options.sshKey === undefined ? [] : parseKeys(readKeys(options.sshKey))
  needSpace(tmpdir(), TREE_BYTES, 'building')
  needSpace(dirname(output.file), ARCHIVE_BYTES, 'the archive')
  const directory = mkdtempSync(join(tmpdir(), 'bootswarm-rootfs-'))
  const fd = openOutput(output)
  try {
    // mmdebstrap works below as another user number.
    chmodSync(directory, 0o755)
    const customize = join(directory, 'customize')
    const { consoleLogin } = options
    const kernelRelease = await addModules(options, plan.mirror, join(directory, 'modules'), say)
    const script = customizeScript({ sshKeys, consoleLogin, epochS, kernelRelease })
    writeFileSync(customize, script, { mode: 0o755 })
    const making = start('mmdebstrap', mmdebstrapArgs(plan, customize), {
      env: { TMPDIR: directory, SOURCE_DATE_EPOCH: String(epochS) },
      ...{ stdin: 'ignore', stdout: 'pipe', signal },
      onLine: (line) => {
        const words = step(line)
        if (words !== undefined) say(words)
      },
    })
    const { stdout } = making.child
    if (stdout === null) throw new Error('mmdebstrap without standard output')
    const packer = packerOf(options.format ?? 'tar.zst', options.level, output.partial, epochS)
    // The stream ends with the program, however that ended: its failure is the one to tell.
    const inspection = new Inspection()
    const reader = new TarReader(inspection.onMember)
    const packing = packStream(stdout, packer, fd, signal, (part) => reader.push(part))
    packing.catch(() => making.kill())
    await making.done.catch(async (error) => {
      // A full disk ends the packer first, and this program by that.
      if (making.child.signalCode === 'SIGKILL') await packing
      explain(error)
    })
    await packing
    reader.end()
    const findings = settle(inspection, plan.suite, false)
    finishOutput(output)
    return { facts: inspection.facts(), findings }
  } finally {
    closeSync(fd)
    dropOutput(output)
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The current step, from the program's own output. */
function step(line: string): string | undefined {
  const steps: readonly [RegExp, string][] = [
    [/^I: running apt-get update/, 'fetching the package lists'],
    [/^I: downloading packages with apt/, 'fetching the packages'],
    [/^I: extracting archives/, 'unpacking the essential packages'],
    [/^I: installing essential packages/, 'setting up the essential packages'],
    [/^I: installing remaining packages/, 'installing the other packages'],
    [/^I: running --customize-hook/, 'writing the settings of a node'],
    [/^I: creating tarball/, 'packing'],
  ]
  return steps.find(([form]) => form.test(line))?.[1]
}

function explain(error: BootswarmError): never {
  const [, name] = /Unable to locate package ([^\s]+)/.exec(error.message) ?? []
  if (name !== undefined)
    throw new BootswarmError('PACKAGE_MISSING', `there is no package ${name}`, { cause: error })
  throw error
}

function readKeys(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const why = isMissing ? `there is no ${file}; ssh-keygen makes a key` : (error as Error).message
    throw new BootswarmError('USAGE_INVALID', `--ssh-key: ${why}`)
  }
}
