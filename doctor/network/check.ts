/** The checks of this machine's network: interfaces, addresses, routes, spanning tree. */

import { makeCheck } from '../check.js'
import type { NetworkFacts } from './facts.js'
import { gatherNetwork } from './gather.js'
import { judgeNetwork } from './judge.js'
import { judgeRacks } from './judge-racks.js'

export const networkCheck = makeCheck<NetworkFacts>({
  name: 'network',
  title: 'the network of this machine',
  gather: gatherNetwork,
  judge: (facts, site) => [...judgeNetwork(facts, site), ...judgeRacks(site)],
})
