/** The seeder's process: messages of the daemon in, reports out. Decides nothing. */

import './silence-utp-warning.js'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { endWithParent, toParent } from '../process/child.js'
import { collectGarbage, GarbageWatch } from '../process/garbage.js'
import { SeederCore } from './seeder-core.js'
import type { FromSeeder, ToSeeder } from './seeder-messages.js'

/** The other processes' sending yields to what is handed out, so they hear of it soon. */
const statsEveryMs = 100
/** What costs more is looked at once in so many times. */
const costlyEvery = 5

endWithParent()
const send = (message: FromSeeder): void => toParent(message)
const delay = monitorEventLoopDelay({ resolution: 10 })
delay.enable()

let core: SeederCore | undefined

process.on('message', (message: ToSeeder) => {
  switch (message.type) {
    case 'start':
      start(message.port)
      break
    case 'add': {
      const { infohash } = message
      core?.add(message).then(
        () => send({ type: 'added', infohash }),
        (error: Error) => send({ type: 'added', infohash, error: error.message }),
      )
      break
    }
    case 'remove':
      core?.remove(message.infohash).finally(() => send({ type: 'removed', infohash: message.infohash }))
      break
    case 'rack':
      core?.rack(message.address, message.place)
      break
    case 'racksChanged':
      core?.racksChanged()
      break
  }
})

function start(port: number): void {
  const running = new SeederCore(
    port,
    {
      rackWanted: (address) => send({ type: 'rackWanted', address }),
      log: (level, event, data) => send({ type: 'log', level, event, data }),
      failed(inUse, message) {
        send({ type: 'failed', inUse, message })
        setTimeout(() => process.exit(1), 100)
      },
    },
    (listeningPort) => send({ type: 'listening', port: listeningPort }),
  )
  core = running
  const garbage = new GarbageWatch()
  let residentBytes = 0
  let eventLoopDelayMs = 0
  let times = 0
  setInterval(() => {
    if (times % costlyEvery === 0) {
      eventLoopDelayMs = Math.round(delay.max / 1e4) / 100
      delay.reset()
      residentBytes = readResidentBytes() ?? residentBytes
    }
    times += 1
    const stats = running.stats()
    send({ type: 'stats', stats: { ...stats, eventLoopDelayMs, residentBytes } })
    if (garbage.isDue(stats.peers, performance.now())) collectGarbage()
  }, statsEveryMs)
}

/** Undefined while no descriptor is left to read it with. */
function readResidentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss()
  } catch {
    return undefined
  }
}
