/** Findings for people and for machines. Pure. What they quote of the network and of files is made printable here. */

import { printable, printableJson } from '../src/text.js'
import type { Outcome } from './check.js'
import { type Finding, type Severity, severities } from './finding.js'

const words: Record<Severity, string> = { stops: 'STOPS A BOOT', hurts: 'may hurt', note: 'note' }
const colours: Record<Severity, string> = { stops: '\u001b[31m', hurts: '\u001b[33m', note: '\u001b[2m' }

/** Characters of a finding: it may list interfaces and files. */
const lineLengthMax = 4096

/** What was found, worst first. */
export interface Report {
  readonly findings: readonly (Finding & { readonly check: string })[]
  /** What was not looked at, and why. */
  readonly leftOut: readonly string[]
  /** Groups of checks that ran. */
  readonly checks: readonly string[]
}

/** Puts the outcomes together. */
export function makeReport(outcomes: readonly Outcome[]): Report {
  const findings = outcomes.flatMap(({ name, findings }) =>
    findings.map((found) => ({ ...found, check: name })),
  )
  return {
    findings: severities.flatMap((severity) => findings.filter((found) => found.severity === severity)),
    leftOut: [...new Set(outcomes.flatMap(({ leftOut }) => leftOut))],
    checks: outcomes.map(({ name }) => name),
  }
}

/** Whether something stops a boot. */
export function isBad({ findings }: Report): boolean {
  return findings.some(({ severity }) => severity === 'stops')
}

/** For people. */
export function formatText(report: Report, isColoured: boolean): string {
  const { findings, leftOut } = report
  const paint = (severity: Severity) =>
    isColoured ? `${colours[severity]}${words[severity]}\u001b[0m` : words[severity]
  const count = (severity: Severity) => findings.filter((found) => found.severity === severity).length
  const lines = findings.flatMap(({ severity, code, seen, remedy }) => [
    `${paint(severity)}  ${code}`,
    `  ${printable(seen, lineLengthMax)}`,
    `  -> ${printable(remedy, lineLengthMax)}`,
    '',
  ])
  if (leftOut.length > 0)
    lines.push('left out:', ...leftOut.map((text) => `  ${printable(text, lineLengthMax)}`), '')
  lines.push(
    isBad(report)
      ? `${count('stops')} of ${findings.length} findings stop a boot (docs/troubleshooting.md)`
      : `nothing that stops a boot; ${count('hurts')} that may hurt, ${count('note')} notes`,
    '',
  )
  return lines.join('\n')
}

/** For machines (docs/doctor.md). */
export function formatJson(report: Report): string {
  const { findings, leftOut, checks } = report
  return `${printableJson({ ok: !isBad(report), findings, left_out: leftOut, checks }, 2)}\n`
}
