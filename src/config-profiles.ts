/**
 * The part of the configuration that gives different nodes different things: `profiles` and `groups`. What refers from
 * one to another is checked in profile-check.ts.
 */

import { z } from 'zod'
import { kernelArchs } from './arch.js'
import { kernelArgs, rootPlace } from './config-netboot.js'
import { powerSchema } from './config-power.js'
import { hostlist, oneOrMore, printableName, relayId, settings } from './config-values.js'
import { hostnamePattern } from './hostname-pattern.js'
import { dmiKeys } from './inventory.js'
import {
  ARTIFACT_NAME_BYTES_MAX,
  GROUPS_MAX,
  MANIFEST_ARTIFACTS_MAX,
  MATCH_VALUES_MAX,
  PROFILES_MAX,
  PROFILES_OF_ONE_MAX,
} from './limits.js'
import { isCidr } from './net.js'
import { macPrefix } from './node-id.js'

/** The name of a profile. */
export const profileName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name of letters, digits, dots, dashes and _')

/** One profile, or several of which later ones win. */
export const profileNames = oneOrMore(profileName, PROFILES_OF_ONE_MAX)

const fileName = z
  .string()
  .regex(/^[^/]+$/, 'expected the name of a file')
  .max(ARTIFACT_NAME_BYTES_MAX + 1)

/** What a profile and a node can both say of the artifacts that are booted. */
export const artifactKeys = {
  rootfs: fileName
    .optional()
    .describe('file of artifacts/rootfs; * stands for anything, and the newest by its name is taken'),
  plugins: oneOrMore(fileName, MANIFEST_ARTIFACTS_MAX)
    .optional()
    .describe('files of artifacts/plugins; * stands for anything, ! before a name leaves it out'),
}

const profile = z.strictObject({
  extends: profileNames.optional().describe('profiles that this one builds on; later ones win'),
  ...artifactKeys,
  kernel_args: kernelArgs.optional().describe('kernel parameters, after those of all nodes'),
  root: rootPlace.optional().describe('in place of `netboot.root`'),
  power: powerSchema.optional().describe('how its nodes are switched off and on'),
  settings: settings.default({}).describe('environment, over the `settings` of all nodes'),
})

const list = <T extends z.ZodType<string>>(value: T) => oneOrMore(value, MATCH_VALUES_MAX).optional()
type DmiShape = Record<(typeof dmiKeys)[number], ReturnType<typeof list<typeof printableName>>>
const conditions = {
  nodes: hostlist.optional().describe('hostlist of identities, or of host names that `nodes` gives'),
  macs: list(
    z
      .string()
      .refine((value) => macPrefix(value) !== undefined, 'expected a MAC address or whole bytes of one'),
  ).describe('MAC addresses or their first bytes, such as 52:54:00'),
  subnets: list(z.string().refine(isCidr, 'expected a subnet such as 10.1.2.0/24 or fd00::/64')).describe(
    'subnets of its address',
  ),
  racks: list(printableName).describe('names of racks'),
  relay_ids: list(relayId).describe(
    'identities of its switch port (DHCP option 82), as in `racks`; * at the end',
  ),
  archs: list(z.enum(kernelArchs)).describe('architectures of its processor'),
  dmi: z
    .strictObject(Object.fromEntries(dmiKeys.map((key) => [key, list(printableName)])) as DmiShape)
    .refine(
      (value) => dmiKeys.some((key) => value[key] !== undefined),
      `expected one of ${dmiKeys.join(', ')}`,
    )
    .optional()
    .describe('what its machine says of itself in DMI; * stands for anything'),
  pci: list(
    z.string().regex(/^[0-9a-f*]{1,4}:[0-9a-f*]{1,4}$/i, 'expected ids such as 10de:2684 or 10de:*'),
  ).describe('vendor:device of a PCI device of its machine; * stands for anything'),
}

type Conditions = { readonly [Name in keyof typeof conditions]?: unknown }
const isEmpty = (value: Conditions) =>
  Object.keys(conditions).every((name) => value[name as keyof Conditions] === undefined)

const condition = z
  .strictObject(conditions)
  .refine((value) => !isEmpty(value), `expected one of ${Object.keys(conditions).join(', ')}`)

const match = z
  .strictObject({
    ...conditions,
    any: z.array(condition).min(1).max(MATCH_VALUES_MAX).optional().describe('one of these must hold'),
    all: z.array(condition).min(1).max(MATCH_VALUES_MAX).optional().describe('each of these must hold'),
  })
  .refine((value) => !isEmpty(value) || value.any !== undefined || value.all !== undefined, {
    message: `expected one of ${[...Object.keys(conditions), 'any', 'all'].join(', ')}`,
  })

const group = z.strictObject({
  name: printableName.describe('name of the group'),
  match: match.describe('which nodes are in it: those for which all of these hold'),
  profile: profileNames.optional().describe('profiles of its nodes; later ones win'),
  hostname: hostnamePattern
    .optional()
    .describe(
      'host names of its nodes: {index} or {index:3} is the place in its hostlist; {mac}, {serial}, {rack}',
    ),
})

/** The key `profiles`. */
export const profilesSchema = z
  .record(profileName, profile)
  .refine((value) => Object.keys(value).length <= PROFILES_MAX, `expected at most ${PROFILES_MAX} profiles`)

/** The key `groups`. */
export const groupsSchema = z.array(group).max(GROUPS_MAX)

/** A profile as configured. */
export type ProfileConfig = z.output<typeof profile>
/** What a group matches by. */
export type MatchConfig = z.output<typeof match>
