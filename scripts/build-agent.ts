/** Builds the agent, dist/agent/bootswarm-agent-PROCESSOR, and the simulator beside it. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { simulator } from '../bench/storm/simulate.js'
import { agentPath, root } from '../host/agent-binary.js'
import { ensureTools } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'

/**
 * Compiles the agent where its sources have changed.
 * @throws {BootswarmError} TOOL_MISSING when there is no usable cargo.
 */
export function buildAgent(): string {
  compile(['--release', '--package', 'bootswarm-agent'])
  install(join('release', 'bootswarm-agent'), agentPath())
  return agentPath()
}

/**
 * The same with the simulator: for speed, while the agent is made small, and of the agent only what it needs.
 * @throws {BootswarmError} TOOL_MISSING when there is no usable cargo.
 */
export function buildSimulator(): void {
  compile(['--profile', 'sim', '--package', 'bootswarm-sim'])
  install(join('sim', 'swarm-sim'), simulator)
}

function compile(what: readonly string[]): void {
  ensureCargo()
  const { status } = spawnSync('cargo', ['build', '--locked', '--quiet', ...what], {
    cwd: join(root, 'initramfs-agent'),
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new BootswarmError('AGENT_MISSING', 'the agent did not compile: see above')
}

function install(built: string, path: string): void {
  const target = process.env.CARGO_TARGET_DIR ?? join(root, 'initramfs-agent', 'target')
  mkdirSync(dirname(path), { recursive: true })
  // A new file each time: the old one may be running ("text file busy"), and another build may be doing the same.
  const fresh = `${path}.${process.pid}`
  copyFileSync(join(target, hostTriple(), built), fresh)
  renameSync(fresh, path)
}

/**
 * A C compiler (for ring, zstd and xz) and a cargo that knows `host-tuple`. Debian 12's own cargo is too
 * old; its security archive has a current one as cargo-web, later releases as cargo.
 */
function ensureCargo(): void {
  ensureTools([{ name: 'cc', debianPackage: 'build-essential' }])
  ensureTools([{ name: 'cargo', debianPackage: ['cargo-web', 'cargo'] }])
  const { stdout } = spawnSync('cargo', ['--version'], { encoding: 'utf8' })
  const [version, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? []
  if (Number(major) === 1 && Number(minor) < 91) {
    throw new BootswarmError(
      'TOOL_MISSING',
      `cargo 1.91 or newer is needed, this is ${version}; sudo apt-get install cargo-web, or rustup update stable`,
    )
  }
}

function hostTriple(): string {
  const { stdout } = spawnSync('rustc', ['-vV'], { encoding: 'utf8' })
  const triple = stdout.match(/^host: (.+)$/m)?.[1]
  if (!triple)
    throw new BootswarmError('TOOL_MISSING', 'rustc does not tell its host; reinstall Rust with rustup')
  return triple
}
