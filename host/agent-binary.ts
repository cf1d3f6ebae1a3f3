/** Finds the agent's executable and the checkout that it lies in. Builds nothing (scripts/build-agent.ts does). */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BootswarmError } from '../src/errors.js'

/** The checkout or installed package (this file runs as dist/host/agent-binary.js). */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The processor's name as Rust and `uname -m` have it. */
export function processor(): string {
  return { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch
}

/** Where the agent of this processor lies. */
export function agentPath(): string {
  return join(root, 'dist', 'agent', `bootswarm-agent-${processor()}`)
}

/**
 * {@link agentPath}, if the agent is there.
 * @throws BootswarmError AGENT_MISSING with the command that builds it
 */
export function installedAgent(): string {
  const path = agentPath()
  if (existsSync(path)) return path
  throw new BootswarmError('AGENT_MISSING', `there is no agent at ${path}: \`npm run build\` makes it`)
}
