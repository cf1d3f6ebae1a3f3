/** Runs perfdhcp (of Kea) and reads its report. */
import { spawn } from 'node:child_process'
import { inside } from '../storm/network.js'
import { benchWire } from './wire.js'

/** DISCOVER, OFFER, REQUEST, ACK by machines that the server does not know. */
export interface Exchanges {
  readonly done: number
  readonly asked: number
  readonly seconds: number
  /** From DISCOVER to OFFER, and from REQUEST to ACK. */
  readonly offerMs: number
  readonly ackMs: number
}

/** Exit codes of a complete run: success, and some answers missing. */
const codesOfResults: readonly (number | null)[] = [0, 3]
/** A run that hangs is killed; perfdhcp itself ends shortly after `seconds`. */
const graceMs = 120_000

/** Asks for `seconds`, so many times a second. Fails with the reason where perfdhcp does. */
export function runPerfdhcp(namespace: string, rate: number, seconds: number): Promise<Exchanges> {
  // It draws its clients at random: from so many, nearly every one is new.
  const flags = [
    '-4',
    '-l',
    benchWire.client,
    '-r',
    String(rate),
    '-R',
    '16000000',
    '-p',
    String(seconds),
    '-d',
    '2',
    '-W',
    '2000000',
  ]
  const [program, args] = inside(namespace, ['perfdhcp', ...flags, benchWire.server])
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let failures = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (failures += bytes.toString()))
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + graceMs)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      const report = codesOfResults.includes(code) ? parseReport(output, seconds) : undefined
      if (report !== undefined) resolve(report)
      else reject(new Error(`perfdhcp ended with ${code}: ${(failures || output).trim().slice(-300)}`))
    })
  })
}

/** Reads the report; undefined if it is none. */
export function parseReport(text: string, seconds: number): Exchanges | undefined {
  const [, offers, acks] = text.split(/^\*\*\*Statistics for: .*$/m)
  const number = (part: string | undefined, name: string): number | undefined => {
    const found = new RegExp(`^${name}: ([\\d.]+)`, 'm').exec(part ?? '')?.[1]
    return found === undefined ? undefined : Number(found)
  }
  const asked = number(offers, 'sent packets')
  const done = number(acks, 'received packets')
  if (asked === undefined || done === undefined) return undefined
  return {
    asked,
    done,
    seconds,
    offerMs: number(offers, 'avg delay') ?? Number.NaN,
    ackMs: number(acks, 'avg delay') ?? Number.NaN,
  }
}
