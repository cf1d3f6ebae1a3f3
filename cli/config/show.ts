/** `bootswarm config show NODE`: what a node gets, and which line gives it. */

import { isIP } from 'node:net'
import { printJson, printLines } from '../../host/console.js'
import { readPlacedConfig } from '../../server/config/load.js'
import { kernelArch, kernelArchs } from '../../src/arch.js'
import { BootswarmError } from '../../src/errors.js'
import { isNodeId, normalizeMac } from '../../src/node-id.js'
import { makeRackTree, racksAbove } from '../../src/rack-tree.js'
import { type AskedNode, makeNodeResolver, type NodeResolver, namedIds } from '../../src/resolve-node.js'
import { type ShownNode, shownNode } from '../../src/shown-node.js'
import { shownLines } from '../show-node.js'
import type { Given } from './arguments.js'
import { lastOf, type Surroundings } from './flags.js'

/** @throws BootswarmError CONFIG_INVALID, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE, NODE_ID_INVALID, USAGE_INVALID */
export async function run(given: Given, around: Surroundings): Promise<number> {
  const relayIds = given.flags.get('relay-id') ?? []
  const asked = askedFacts(given)
  const { config, placeOf } = readPlacedConfig(around, lastOf(given, 'config'))
  const resolver = makeNodeResolver(config, () => relayIds)
  const named = namedIds(resolver)
  const id = findNode(given.word ?? '', resolver, named)
  const node = resolver.resolve({ id, ...asked })
  const shown = shownNode({
    node,
    placeOf,
    isNamed: named.has(id),
    racksAbove: racksAbove(makeRackTree(config.racks), node.rack.value),
    // Groups that it may be in all the same: the server knows more of a node than a file does.
    openGroups: resolver.groups.flatMap(({ name, match }) =>
      (match.isByPlace || match.isByMachine) && !node.groups.includes(name) ? [name] : [],
    ),
  })
  if (given.flags.has('json')) printJson(shown, 2)
  else printLines(linesOf(shown))
  return 0
}

function linesOf(shown: ShownNode): string[] {
  const { id, named, open_groups: open } = shown
  return [
    `${id}${named ? '' : ' (the configuration does not name it)'}`,
    ...shownLines(shown),
    ...(open.length === 0
      ? []
      : [
          '',
          `It may be in ${open.join(', ')} too, which go by address, rack, switch port or architecture (--address, --relay-id, --arch say those), or by what the machine is.`,
        ]),
  ]
}

function askedFacts(given: Given): Pick<AskedNode, 'address' | 'arch'> {
  const address = lastOf(given, 'address') ?? ''
  if (address !== '' && isIP(address) === 0) throw usage('--address: expected an IP address')
  const text = lastOf(given, 'arch')
  const arch = text === undefined ? undefined : kernelArch(text)
  if (text !== undefined && arch === undefined)
    throw usage(`--arch: expected one of ${kernelArchs.join(', ')}`)
  return { address, arch }
}

/** An identity that the configuration names, else the node that would have this host name, else any identity. */
function findNode(word: string, resolver: NodeResolver, named: ReadonlySet<string>): string {
  const id = normalizeMac(word) ?? word.toLowerCase()
  if (named.has(id)) return id
  const owners = [...named].filter((other) => {
    const { hostname } = resolver.resolve({ id: other, address: '', arch: undefined })
    return hostname.value.toLowerCase() === id
  })
  const [owner, other] = owners
  if (other !== undefined)
    throw usage(`${id} is the host name of ${owners.slice(0, 5).join(' and ')}: name one of them`)
  if (owner !== undefined) return owner
  if (isNodeId(id)) return id
  throw new BootswarmError('NODE_ID_INVALID', `${JSON.stringify(word.slice(0, 80))} is no identity of a node`)
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
