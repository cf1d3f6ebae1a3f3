/** Builds the agent and puts it at dist/agent/bootswarm-agent-PROCESSOR. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { agentPath, root } from '../host/agent-binary.js'
import { ensureTools } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'

/**
 * Compiles the agent and the simulator where their sources have changed.
 * @throws {BootswarmError} TOOL_MISSING when there is no usable cargo.
 */
export function buildAgent(): string {
  ensureCargo()
  const triple = hostTriple()
  const crate = join(root, 'initramfs-agent')
  const { status } = spawnSync('cargo', ['build', '--release', '--locked', '--quiet', '--workspace'], {
    cwd: crate,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) throw new BootswarmError('AGENT_MISSING', 'the agent did not compile: see above')
  const built = process.env.CARGO_TARGET_DIR ?? join(crate, 'target')
  mkdirSync(join(root, 'dist', 'agent'), { recursive: true })
  replace(join(built, triple, 'release', 'bootswarm-agent'), agentPath())
  replace(join(built, triple, 'release', 'swarm-sim'), join(root, 'dist', 'agent', 'swarm-sim'))
  return agentPath()
}

/** A new file each time: the old one may be running ("text file busy"), and another build may be doing the same. */
function replace(from: string, to: string): void {
  const fresh = `${to}.${process.pid}`
  copyFileSync(from, fresh)
  renameSync(fresh, to)
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
