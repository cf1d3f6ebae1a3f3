/** The checks of the machine's means: disk, memory, limits, clock. */

import { makeCheck } from '../check.js'
import type { MachineFacts } from './facts.js'
import { gatherMachine } from './gather.js'
import { judgeMachine } from './judge.js'

export const machineCheck = makeCheck<MachineFacts>({
  name: 'machine',
  title: 'disk, memory, limits and clock of this machine',
  gather: gatherMachine,
  judge: judgeMachine,
})
