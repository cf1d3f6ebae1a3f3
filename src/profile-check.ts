/**
 * Mistakes that show only when profiles, groups, nodes and racks are put together: names that do not exist, circles, two
 * nodes with one host name, too many settings. Pure.
 */

import type { ConfigMistake, ConfigPath } from './config-path.js'
import { fillIn, isPattern, needsIndex, tellsApart } from './hostname-pattern.js'
import { KERNEL_LINE_LENGTH_MAX, SETTINGS_MAX } from './limits.js'
import { commandLine } from './node-config.js'
import { defaultHostname } from './node-id.js'
import type { DesiredState, ResolvedNode } from './node-values.js'
import { noProfile, profileMistake } from './profiles.js'
import { linkMistake } from './rack-tree.js'
import { makeNodeResolver, type NodeResolver, namedIds } from './resolve-node.js'

/** The first mistake; undefined if there is none. */
export function desiredStateMistake(config: DesiredState): ConfigMistake | undefined {
  const unusable = profileMistake(config.profiles) ?? referenceMistake(config) ?? linkMistake(config.racks)
  if (unusable !== undefined) return unusable
  const resolver = makeNodeResolver(config)
  return groupMistake(config, resolver) ?? nodeMistake(config, resolver)
}

function referenceMistake({ profiles, groups, nodes }: DesiredState): ConfigMistake | undefined {
  for (const [list, entries] of Object.entries({ groups, nodes })) {
    for (const [at, { profile = [] }] of entries.entries()) {
      const wrong = profile.find((name) => !Object.hasOwn(profiles, name))
      if (wrong !== undefined) return { path: [list, at, 'profile'], message: noProfile(wrong, profiles) }
    }
  }
  return undefined
}

function groupMistake({ groups }: DesiredState, resolver: NodeResolver): ConfigMistake | undefined {
  const seen = new Set<string>()
  for (const [at, { name, hostname }] of groups.entries()) {
    if (seen.has(name)) return { path: ['groups', at, 'name'], message: `there are two groups ${name}` }
    seen.add(name)
    if (hostname === undefined) continue
    const listed = resolver.groups[at]?.match.listed.length ?? 0
    const path = ['groups', at, 'hostname']
    if (needsIndex(hostname) && listed === 0) {
      const message = 'expected nodes or whole MAC addresses in match: {index} is the place among them'
      return { path, message }
    }
    if (!tellsApart(hostname) && listed !== 1) {
      const message = 'expected {index}, {mac} or {serial} in it: a host name belongs to one node'
      return { path, message }
    }
  }
  return undefined
}

/** Of nodes that are named, and of groups by themselves. What several groups give by address shows when a node asks. */
function nodeMistake(config: DesiredState, resolver: NodeResolver): ConfigMistake | undefined {
  const taken = new Map<string, Claim>()
  for (const id of namedIds(resolver)) {
    const node = resolver.resolve({ id, address: '', arch: undefined })
    const mistake = sizeMistake(config, node, id) ?? hostnameMistake(claimsOf(node, config, resolver), taken)
    if (mistake !== undefined) return mistake
  }
  const nobody = { id: '', address: '', arch: undefined }
  for (const { name } of resolver.groups) {
    const mistake = sizeMistake(config, resolver.resolveIn(nobody, [name]), `group ${name}`)
    if (mistake !== undefined) return mistake
  }
  return undefined
}

function sizeMistake({ nodes }: DesiredState, node: ResolvedNode, who: string): ConfigMistake | undefined {
  const { settings, kernelArgs } = node
  if (settings.size > SETTINGS_MAX) {
    const at = nodes.findIndex((entry) => Object.keys(entry.settings).length > 0)
    const message = `${who} has ${settings.size} settings, at most ${SETTINGS_MAX} are possible`
    return { path: at < 0 ? ['groups'] : ['nodes', at], message }
  }
  const { length } = commandLine(node)
  const ofProfile = kernelArgs.findLast(({ path }) => path[0] === 'profiles')
  if (length <= KERNEL_LINE_LENGTH_MAX || ofProfile === undefined) return undefined
  const message = `${who} has ${length} characters of kernel arguments, of which kernels take ${KERNEL_LINE_LENGTH_MAX}`
  return { path: ofProfile.path, message }
}

/** A host name that a node may get, and whether it is one that must not be another's too. */
interface Claim {
  readonly id: string
  readonly name: string
  readonly path: ConfigPath
  readonly isChecked: boolean
  /** It says the rack, which nothing names. */
  readonly isRackOpen?: boolean
}

/**
 * Two nodes with one host name. Names that were written out for two nodes one by one are let through, as they always
 * were. Nodes whose racks are known only at the boot may turn out to be in one rack.
 */
function hostnameMistake(claims: readonly Claim[], taken: Map<string, Claim>): ConfigMistake | undefined {
  for (const claim of claims) {
    const key = claim.name.toLowerCase()
    const other = taken.get(key)
    if (other !== undefined && other.id !== claim.id && (claim.isChecked || other.isChecked)) {
      const { path } = claim.isChecked ? claim : other
      const why = claim.isRackOpen ? ', since both may be in one rack' : ''
      return { path, message: `${other.id} and ${claim.id} would both get the host name ${claim.name}${why}` }
    }
    if (other === undefined || claim.isChecked) taken.set(key, claim)
  }
  return undefined
}

/** A group's name counts for every node that it lists: whether the rest of its match holds may show only at the boot. */
function claimsOf(
  { id, hostname, rack }: ResolvedNode,
  config: DesiredState,
  resolver: NodeResolver,
): Claim[] {
  if (hostname.path[0] === 'nodes') {
    const [, at] = hostname.path
    const isChecked = isPattern(config.nodes[Number(at)]?.hostname ?? '')
    return [{ id, name: hostname.value, path: hostname.path, isChecked }]
  }
  const names = resolver.namesOf(id)
  const ofGroups = config.groups.flatMap(({ hostname: pattern }, at): Claim[] => {
    const match = resolver.groups[at]?.match
    const index = match?.indexOf(names)
    if (pattern === undefined || index === undefined) return []
    const known = rack.by === '' ? match?.onlyRack : rack.value
    const name = fillIn(pattern, { id, rack: known ?? 'RACK', index })
    const isRackOpen = known === undefined && pattern.includes('{rack}')
    return name === undefined
      ? []
      : [{ id, name, path: ['groups', at, 'hostname'], isChecked: true, isRackOpen }]
  })
  return ofGroups.length > 0 ? ofGroups : [{ id, name: defaultHostname(id), path: [], isChecked: false }]
}
