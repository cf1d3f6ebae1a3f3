import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { finding } from '../../doctor/finding.js'
import { main } from '../../doctor/main.js'
import { formatJson, formatText, isBad, makeReport } from '../../doctor/print.js'
import { checkout, scratch } from '../support/scratch.js'
import { Clinic } from './support.js'

const script = join(checkout, 'dist', 'cli', 'bootswarm.js')

test('wrong arguments end with 2, also those of the configuration; help with 0', async (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [script, 'doctor', ...args], { cwd: scratch(t), encoding: 'utf8' })
  for (const args of [
    ['--timeout-s', '0'],
    ['--http-port', 'x'],
  ]) {
    const { status, stderr } = run(...args)
    assert.equal(status, 2, args.join(' '))
    assert.match(stderr, /^bootswarm: [A-Z_]+: /)
  }
  for (const args of [['--timeout-s', 'soon'], ['--timeout-s='], ['--nonsense'], ['--check', 'dhcp,nose']]) {
    await assert.rejects(main(args), { code: 'USAGE_INVALID' }, args.join(' '))
  }
  const help = run('--help')
  assert.equal(help.status, 0)
  assert.match(help.stdout, /--timeout-s N/)
})

test('the worst comes first, in words and as JSON', () => {
  const report = makeReport([
    { name: 'a', findings: [finding('STP_ON_WIRE', 'seen a', 'do a')], leftOut: ['x: needs root'] },
    {
      name: 'b',
      findings: [finding('LINK_SLOW', 'seen b', 'do b'), finding('LINK_DOWN', 'seen c', 'do c')],
      leftOut: ['x: needs root'],
    },
  ])
  assert.equal(isBad(report), true)
  const text = formatText(report, false)
  assert.ok(
    text.indexOf('LINK_DOWN') < text.indexOf('LINK_SLOW') &&
      text.indexOf('LINK_SLOW') < text.indexOf('STP_ON_WIRE'),
  )
  assert.match(text, /STOPS A BOOT {2}LINK_DOWN\n {2}seen c\n {2}-> do c\n/)
  const json = JSON.parse(formatJson(report)) as {
    ok: boolean
    findings: unknown[]
    left_out: string[]
    checks: string[]
  }
  assert.deepEqual([json.ok, json.left_out, json.checks], [false, ['x: needs root'], ['a', 'b']])
  assert.deepEqual(json.findings[0], {
    code: 'LINK_DOWN',
    severity: 'stops',
    seen: 'seen c',
    remedy: 'do c',
    check: 'b',
  })
  assert.equal(isBad(makeReport([])), false)
})

test('what a finding quotes of the network is one printable line, in words and as JSON', () => {
  const evil = 'x\nSTOPS A BOOT  FORGED\r\u001b]0;x\u0007\u001b[2J\u009b2J\u202e\u2028'
  const report = makeReport([{ name: 'a', findings: [finding('DHCP_RIVAL', evil, evil)], leftOut: [evil] }])
  const coloured = formatText(report, true)
  for (const text of [
    formatText(report, false),
    formatJson(report),
    coloured.replaceAll(/\p{Cc}\[\d+m/gu, ''),
  ]) {
    assert.doesNotMatch(text, /(?!\n)[\p{C}\p{Zl}\p{Zp}]/u)
    assert.doesNotMatch(text, /^STOPS A BOOT {2}FORGED/m)
  }
  assert.equal((JSON.parse(formatJson(report)) as { findings: { seen: string }[] }).findings[0]?.seen, evil)
})

test('an ordinary user beside a running server: says what was left out, and finds nothing that is not there', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  await clinic.place.start()
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const found = await clinic.doctorAs(asNobody, '--timeout-s', '10')
  assert.deepEqual(
    found.codes('stops').filter((code) => !/^(BOOT_FILES|CATALOG)/.test(code)),
    [],
    JSON.stringify(found.findings),
  )
  assert.equal(
    found.left_out.filter((text) => /needs root/.test(text)).length >= 4,
    true,
    found.left_out.join('\n'),
  )
})
