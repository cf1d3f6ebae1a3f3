/**
 * Nodes and attackers before the queue for kernel and stage 1, in virtual time: they ask, wait, sleep and load as iPXE does,
 * over links of their own and the server's one. Everything follows from the seed.
 */
import { type BootQueue, nodeKey, queueTimes } from '../../../server/netboot/boot-queue.js'
import { randomFrom } from '../../fuzz.js'

/** Kernel and stage 1. */
const files = 2
const stepMs = 10
/** From an answer to the next question. */
const turnaroundMs = 20
/** After a download that was cut off; a script allows so many of them. */
const againMs = 1000
const triesMax = 8
/** The server sees what it has handed to the kernel, by parts of this size. */
const chunkBytes = 256 * 1024

/** One that asks. */
export interface Client {
  readonly mac: string
  readonly address: string
  readonly arrivesMs: number
  readonly linkBytesPerMs: number
  /** Of each of the two files. */
  readonly fileBytes: number
  /** Takes its turn and loads nothing. */
  readonly isIdle?: boolean
  /** Leaves after its turn; another invention takes its place at once. */
  readonly isAttacker?: boolean
}

type State =
  | { readonly kind: 'away'; readonly untilMs: number }
  | { readonly kind: 'held'; readonly untilMs: number }
  | { readonly kind: 'loading'; readonly load: number; doneBytes: number }
  | { readonly kind: 'over' }

interface Runner {
  client: Client
  state: State
  whole: number
  tries: number
  inventions: number
}

/** What became of the nodes. */
export interface Outcome {
  /** When each had both files, in the order of the clients; undefined: it gave up. */
  readonly doneMs: readonly (number | undefined)[]
  readonly lastMs: number
  /** Downloads that ran at once at most, of all clients. */
  readonly loadsMax: number
}

/** Runs until every node is done or gave up. @throws Error after `limitMs` of virtual time */
export function runQueue(
  queue: BootQueue,
  clients: readonly Client[],
  uplinkBytesPerMs: number,
  limitMs: number,
  seed: number,
): Outcome {
  const random = randomFrom(seed)
  const runners = clients.map((client): Runner => {
    const state: State = { kind: 'away', untilMs: client.arrivesMs }
    return { client, state, whole: 0, tries: 0, inventions: 0 }
  })
  const byKey = new Map(runners.map((runner) => [keyOf(runner), runner]))
  const byLoad = new Map<number, Runner>()
  const doneMs = new Map<Client, number>()
  let loadsMax = 0

  const away = (runner: Runner, untilMs: number) => {
    runner.state = { kind: 'away', untilMs }
  }
  const invent = (runner: Runner, nowMs: number) => {
    byKey.delete(keyOf(runner))
    runner.inventions += 1
    runner.client = { ...runner.client, mac: `${runner.client.mac.split('#')[0]}#${runner.inventions}` }
    runner.whole = 0
    byKey.set(keyOf(runner), runner)
    away(runner, nowMs + turnaroundMs)
  }
  const retry = (runner: Runner, nowMs: number) => {
    if (runner.client.isAttacker) return invent(runner, nowMs)
    runner.whole = 0
    runner.tries += 1
    if (runner.tries >= triesMax) runner.state = { kind: 'over' }
    else away(runner, nowMs + againMs)
  }
  const begin = (runner: Runner, nowMs: number) => {
    const { mac, address, isIdle } = runner.client
    if (isIdle) return invent(runner, nowMs + queueTimes.unused)
    const load = queue.loading(mac, address, `file-${runner.whole}`, nowMs)
    if (load === undefined) return retry(runner, nowMs)
    runner.state = { kind: 'loading', load, doneBytes: 0 }
    byLoad.set(load, runner)
  }
  const ask = (runner: Runner, nowMs: number) => {
    const { mac, address } = runner.client
    const answer = queue.ask(mac, address, nowMs)
    if (answer.kind === 'go') return begin(runner, nowMs)
    if (answer.holdMs > 0) runner.state = { kind: 'held', untilMs: nowMs + answer.holdMs }
    else sleep(runner, nowMs)
  }
  const sleep = (runner: Runner, nowMs: number) => {
    const { sleepS } = queue.answered(runner.client.mac, runner.client.address, nowMs)
    away(runner, nowMs + sleepS * 1000 + turnaroundMs + random(30))
  }
  const follow = (nowMs: number) => {
    const { given, closed } = queue.takeChanges()
    for (const key of given) {
      const runner = byKey.get(key)
      if (runner?.state.kind === 'held') begin(runner, nowMs)
    }
    for (const load of closed) {
      const runner = byLoad.get(load)
      byLoad.delete(load)
      if (runner?.state.kind === 'loading' && runner.state.load === load) retry(runner, nowMs)
    }
  }
  const transfer = (nowMs: number) => {
    for (const [runner, bytes] of shares([...byLoad.values()], uplinkBytesPerMs)) {
      const { state, client } = runner
      if (state.kind !== 'loading') continue
      state.doneBytes += bytes
      const isWhole = state.doneBytes >= client.fileBytes
      const seen = Math.floor(state.doneBytes / chunkBytes) * chunkBytes
      queue.moved(state.load, isWhole ? client.fileBytes : seen)
      if (!isWhole) continue
      byLoad.delete(state.load)
      queue.loaded(state.load, `file-${runner.whole}`, true, files, nowMs)
      runner.whole += 1
      if (runner.whole < files) begin(runner, nowMs)
      else if (client.isAttacker) invent(runner, nowMs)
      else {
        doneMs.set(client, nowMs)
        runner.state = { kind: 'over' }
      }
      follow(nowMs)
    }
  }

  let nowMs = 0
  for (; runners.some(({ client, state }) => !client.isAttacker && state.kind !== 'over'); nowMs += stepMs) {
    if (nowMs > limitMs)
      throw new Error(`seed ${seed}: not over after ${limitMs} ms; ${doneMs.size} are done`)
    transfer(nowMs)
    if (nowMs % 250 === 0) queue.settle(nowMs)
    follow(nowMs)
    for (const runner of runners) {
      const { state } = runner
      if ((state.kind !== 'away' && state.kind !== 'held') || nowMs < state.untilMs) continue
      if (state.kind === 'away') ask(runner, nowMs)
      else sleep(runner, nowMs)
      follow(nowMs)
    }
    loadsMax = Math.max(loadsMax, byLoad.size)
  }
  const honest = clients.filter(({ isAttacker }) => !isAttacker)
  const done = honest.map((client) => doneMs.get(client))
  return { doneMs: done, lastMs: Math.max(...done.map((ms) => ms ?? Number.POSITIVE_INFINITY)), loadsMax }
}

function keyOf({ client }: Runner): string {
  return nodeKey(client.mac, client.address)
}

/** The bytes of one step for each: the uplink in equal shares, as far as links of their own carry that much (max-min). */
function shares(runners: readonly Runner[], uplinkBytesPerMs: number): [Runner, number][] {
  const rising = [...runners].sort((a, b) => a.client.linkBytesPerMs - b.client.linkBytesPerMs)
  let leftBytes = uplinkBytesPerMs * stepMs
  return rising.map((runner, index) => {
    const fair = leftBytes / (rising.length - index)
    const bytes = Math.min(fair, runner.client.linkBytesPerMs * stepMs)
    leftBytes -= bytes
    return [runner, bytes]
  })
}
