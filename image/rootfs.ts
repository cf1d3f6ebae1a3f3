/** `bootswarm image rootfs`: a root file system for nodes, from Debian's packages or from an archive that is there. */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { complain, printJson, printLines, printText } from '../host/console.js'
import { build, planBuild } from './rootfs/build.js'
import { examine, outputFor } from './rootfs/examine.js'
import type { Facts, Finding } from './rootfs/inspect.js'
import { type Output, shadowedBy } from './rootfs/output.js'
import { take } from './rootfs/take.js'
import { type BuildOptions, parseRootfsOptions, rootfsHelp, type TakeOptions } from './rootfs-options.js'
import { loadSite } from './server-config.js'

/** Makes the archive and puts it into the catalog; the exit code. @throws {BootswarmError} */
export async function main(args: readonly string[]): Promise<number> {
  const options = parseRootfsOptions(args)
  if (options === 'help') {
    printText(rootfsHelp())
    return 0
  }
  const artifactsDir = loadSite(options.configFile).config.artifacts_dir
  // The server reads the archive as another user, and mmdebstrap its files under another number.
  process.umask(0o022)
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    if (options.kind === 'take') await runTake(options, artifactsDir, stop.signal)
    else await runBuild(options, artifactsDir, stop.signal)
    return 0
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

async function runBuild(options: BuildOptions, artifactsDir: string, signal: AbortSignal): Promise<void> {
  const startedMs = performance.now()
  const plan = await planBuild(options, artifactsDir, process.env)
  const { output, sources, packages, epochS, mode } = plan
  if (options.dryRun) {
    return print(options.json, { file: output.file, sources, packages, epoch_s: epochS, mode }, [
      `would make ${output.file}${mode === 'unshare' ? ' in a user namespace' : ''}`,
      ...sources.map((line) => `from ${line}`),
      `with ${packages.join(' ')}`,
    ])
  }
  const { facts, findings } = await build(options, plan, signal, complain)
  const nobody = options.sshKey === undefined && !options.consoleLogin
  const hint = 'nobody can log in: give --ssh-key FILE, or a plugin with /root/.ssh/authorized_keys'
  await report(options.json, output, startedMs, facts, findings, nobody ? [hint] : [])
}

async function runTake(options: TakeOptions, artifactsDir: string, signal: AbortSignal): Promise<void> {
  const startedMs = performance.now()
  const given = await examine(options.from, options.format, signal)
  const output = outputFor(options, given, artifactsDir)
  const how = given.repack === undefined ? 'as it is' : `packed anew: ${given.repack}`
  if (options.dryRun) {
    const plan = { file: output.file, from: given.file, inside: given.inside, repack: given.repack }
    return print(options.json, plan, [`would make ${output.file} from ${given.file}, ${how}`])
  }
  complain(`${given.file} is a ${given.inside}, taken ${how}`)
  const { facts, findings } = await take(options, given, output, signal)
  await report(options.json, output, startedMs, facts, findings, [])
}

async function report(
  json: boolean,
  output: Output,
  startedMs: number,
  facts: Facts,
  findings: readonly Finding[],
  hints: readonly string[],
): Promise<void> {
  const { file } = output
  const bytes = statSync(file).size
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10
  const shadow = shadowedBy(output)
  const warnings = [
    ...findings.map(({ text }) => text),
    ...hints,
    ...(shadow === undefined
      ? []
      : [`the server takes ${shadow} instead, the last by name: remove one of them`]),
  ]
  const result = {
    file,
    bytes,
    sha256: await sha256Of(file),
    unpacked_bytes: facts.unpackedBytes,
    members: facts.members,
    init: facts.init ?? null,
    kernels: facts.kernels,
    warnings,
    seconds,
  }
  print(json, result, [
    `${file}: ${mb(bytes)} MB, made in ${seconds} s`,
    `${facts.members} members, ${mb(facts.unpackedBytes)} MB unpacked; init: ${facts.init ?? 'none'}`,
    ...warnings.map((text) => `warning: ${text}`),
  ])
}

function print(json: boolean, value: object, lines: readonly string[]): void {
  if (json) printJson(value)
  else printLines(lines)
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
