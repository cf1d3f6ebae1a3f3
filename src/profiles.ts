/** Profiles and what they extend. Pure. */

import type { ConfigMistake } from './config-path.js'
import type { ProfileConfig } from './config-profiles.js'

/** The profile that every node has, if the configuration has one of this name. */
export const defaultProfile = 'default'

/** The profiles of a configuration. */
export type Profiles = Readonly<Record<string, ProfileConfig>>

/** What is wrong with them: one that extends itself, or one that does not exist. */
export function profileMistake(profiles: Profiles): ConfigMistake | undefined {
  const done = new Set<string>()
  for (const name of Object.keys(profiles)) {
    const mistake = walk(name, [], profiles, done)
    if (mistake !== undefined) return mistake
  }
  return undefined
}

function walk(
  name: string,
  above: readonly string[],
  profiles: Profiles,
  done: Set<string>,
): ConfigMistake | undefined {
  if (done.has(name)) return undefined
  const path = ['profiles', name, 'extends']
  for (const base of profiles[name]?.extends ?? []) {
    const line = [...above, name]
    const at = line.indexOf(base)
    if (at >= 0) {
      const circle = [...line.slice(at), base].join(' -> ')
      return { path, message: `a profile cannot extend itself: ${circle}` }
    }
    if (!Object.hasOwn(profiles, base)) return { path, message: noProfile(base, profiles) }
    const mistake = walk(base, line, profiles, done)
    if (mistake !== undefined) return mistake
  }
  done.add(name)
  return undefined
}

/** What to say of a name that no profile has. */
export function noProfile(name: string, profiles: Profiles): string {
  const known = Object.keys(profiles).slice(0, 20).join(', ')
  return `there is no profile ${name}${known === '' ? '' : `, only ${known}`}`
}

/**
 * A profile and all that it extends, each once, those first that others build on: later ones win. The profiles must be
 * without a mistake.
 */
export function withBases(name: string, profiles: Profiles): string[] {
  const line = new Set<string>()
  const add = (next: string): void => {
    if (line.has(next)) return
    for (const base of profiles[next]?.extends ?? []) add(base)
    line.add(next)
  }
  add(name)
  return [...line]
}
