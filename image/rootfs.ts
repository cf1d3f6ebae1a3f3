/** `bootswarm image rootfs`: a root file system for nodes, from Debian's packages or from an archive that is there. */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { BootswarmError } from '../src/errors.js'
import { build, planBuild } from './rootfs/build.js'
import { type BuildOptions, parseOptions, rootfsHelp } from './rootfs/options.js'
import { shadowedBy } from './rootfs/output.js'
import { loadSite } from './site.js'

/** Makes the archive and puts it into the catalog. @throws {BootswarmError} */
export async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (options === 'help') {
    process.stdout.write(rootfsHelp())
    return 0
  }
  if (options.kind === 'take') throw new BootswarmError('USAGE_INVALID', '--from is not built yet')
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await runBuild(options, stop.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

async function runBuild(options: BuildOptions, signal: AbortSignal): Promise<number> {
  const startedMs = performance.now()
  const plan = await planBuild(options, loadSite(options.configFile).config.artifacts_dir, process.env)
  const { output, sources, packages, epochS, mode } = plan
  if (options.dryRun) {
    print(options.json, { file: output.file, sources, packages, epoch_s: epochS, mode }, [
      `would make ${output.file} (as ${mode === 'root' ? 'root' : 'an ordinary user'})`,
      ...sources.map((line) => `from ${line}`),
      `with ${packages.join(' ')}`,
    ])
    return 0
  }
  let unpackedBytes = 0
  await build(options, plan, signal, say, (part) => {
    unpackedBytes += part.length
  })
  const bytes = statSync(output.file).size
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10
  const shadow = shadowedBy(output)
  const result = {
    file: output.file,
    bytes,
    sha256: await sha256Of(output.file),
    unpacked_bytes: unpackedBytes,
    seconds,
    shadowed_by: shadow,
  }
  print(options.json, result, [
    `${output.file}: ${mb(bytes)} MB, ${mb(unpackedBytes)} MB unpacked, made in ${seconds} s`,
    ...(options.sshKey === undefined && !options.consoleLogin
      ? ['nobody can log in: give --ssh-key FILE, or a plugin with /root/.ssh/authorized_keys']
      : []),
    ...(shadow === undefined
      ? []
      : [`the server takes ${shadow} instead, the last by name: remove one of them`]),
  ])
  return 0
}

function print(json: boolean, value: object, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${lines.join('\n')}\n`)
}

function say(text: string): void {
  process.stderr.write(`bootswarm: ${text}\n`)
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}
