/** What a node boots once, at its next boot only, over all that the configuration gives to it. Pure. */

import { z } from 'zod'
import { artifactKeys, profileName } from './config-profiles.js'
import { PROFILES_OF_ONE_MAX } from './limits.js'
import { noProfile, type Profiles } from './profiles.js'
import type { FactData } from './timeline.js'
import { matchesName } from './wildcard.js'

/** From where a node can be told to boot. */
export const nextBootSources = ['network', 'disk', 'shell'] as const

/** What an operator asks for. */
export const nextBootSchema = z
  .strictObject({
    from: z
      .enum(nextBootSources)
      .default('network')
      .describe("network: as always; disk: the machine's own disk; shell: the shell of iPXE"),
    profile: z
      .array(profileName)
      .max(PROFILES_OF_ONE_MAX)
      .default([])
      .describe('profiles, over all that the configuration gives to the node; later ones win'),
    rootfs: artifactKeys.rootfs,
  })
  .refine(
    ({ from, profile, rootfs }) => (from === 'network') === (profile.length > 0 || rootfs !== undefined),
    'expected a profile or a rootfs, or that it boots from disk or shell',
  )

/** See the module. */
export type NextBoot = z.output<typeof nextBootSchema>

/** For people: `profile canary`. */
export function nextBootText({
  from,
  profile,
  rootfs,
}: Pick<NextBoot, 'from' | 'profile'> & { readonly rootfs?: string | null | undefined }): string {
  if (from === 'disk') return 'its own disk'
  if (from === 'shell') return 'the shell of iPXE'
  return [
    ...(profile.length === 0 ? [] : [`profile ${profile.join(', ')}`]),
    ...(rootfs ? [`root file system ${rootfs}`] : []),
  ].join(', ')
}

/** For the timeline. */
export function nextBootFacts({ from, profile, rootfs }: NextBoot): FactData {
  return {
    from,
    ...(profile.length === 0 ? {} : { profile: profile.join(', ') }),
    ...(rootfs === undefined ? {} : { rootfs }),
  }
}

/** Why it cannot be; `roots` are the names of the root file systems that are published. */
export function nextBootMistake(
  { profile, rootfs }: NextBoot,
  profiles: Profiles,
  roots: readonly string[],
): string | undefined {
  const unknown = profile.find((name) => !Object.hasOwn(profiles, name))
  if (unknown !== undefined) return noProfile(unknown, profiles)
  if (rootfs === undefined || roots.some((name) => matchesName(rootfs, name))) return undefined
  const known = roots.length === 0 ? '' : `, only ${roots.slice(0, 20).join(', ')}`
  return `no root file system ${rootfs} is published${known}: put it into artifacts/rootfs/ and name it in a profile`
}
