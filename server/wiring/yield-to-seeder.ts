/** While the seeder hands out, what HTTP sends second yields to it: what it gives away is passed on from node to node. */
import type { SendTurns } from '../http/send-turns.js'
import type { SwarmSide } from './swarm.js'

/** Follows the seeder's counters from now on. */
export function yieldToSeeder(
  turns: Pick<SendTurns, 'goesFirst'>,
  swarm: Pick<SwarmSide, 'isHandingOut' | 'onSeederStats' | 'seederStats'>,
): void {
  let over: (() => void) | undefined
  swarm.onSeederStats(() => {
    const isHandingOut = swarm.isHandingOut()
    if (isHandingOut === (over !== undefined)) return
    over?.()
    const movedBytes = () => swarm.seederStats().uploadedBytes
    over = isHandingOut ? turns.goesFirst('seeder', { movedBytes, isCrawling: () => false }) : undefined
  })
}
