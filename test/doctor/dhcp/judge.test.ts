/** Offers as dnsmasq 2.90 really sent them (captures.json), judged. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type DhcpFacts, judgeDhcp } from '../../../doctor/dhcp/judge.js'
import type { Offer } from '../../../doctor/dhcp/offer.js'
import type { Finding } from '../../../doctor/finding.js'
import { card } from '../../support/interfaces.js'

const captures = JSON.parse(readFileSync('test/doctor/dhcp/captures.json', 'utf8')) as Record<string, Offer[]>

function judge(
  offers: readonly Offer[],
  mode: 'proxy' | 'full' = 'proxy',
  more: Partial<DhcpFacts> = {},
): Finding[] {
  const facts = {
    offers,
    bootAnswers: [],
    asked: [{ name: 'lan0', address: '10.77.0.1' }],
    isServing: false,
    timeoutMs: 6000,
  }
  return judgeDhcp({ ...facts, ...more }, { mode, interfaces: [card('lan0', '10.77.0.1')] })
}

const codes = (findings: readonly Finding[]) => findings.map(({ code, severity }) => `${severity} ${code}`)
const capture = (name: string) => captures[name] ?? assert.fail(name)

test('a DHCP server that only gives addresses is named and nothing else', () => {
  assert.deepEqual(codes(judge(capture('plain'))), ['note DHCP_SITE_SERVER'])
})

test('option 60 without 43 is found once, with the server and what to remove', () => {
  const findings = judge(capture('option60'))
  assert.deepEqual(codes(findings), ['note DHCP_SITE_SERVER', 'stops DHCP_PXECLIENT_WITHOUT_43'])
  assert.match(findings[1]?.remedy ?? '', /dhcp-option=60/)
})

test('a boot file in the site’s offers is said with its server; without option 60 it only may hurt', () => {
  const findings = judge(capture('bootfile'))
  assert.deepEqual(codes(findings), ['note DHCP_SITE_SERVER', 'hurts DHCP_RIVAL_BOOT'])
  assert.match(findings[1]?.seen ?? '', /10\.77\.0\.2 tells a PC BIOS.* to load “pxelinux\.0” from boothost/)
})

test('a whole PXE service of somebody else stops a boot', () => {
  assert.deepEqual(codes(judge(capture('pxeproxy'))), [
    'note DHCP_SITE_SERVER',
    'stops DHCP_PXECLIENT_WITHOUT_43',
    'stops DHCP_RIVAL_BOOT',
  ])
})

test('nobody, several, and the same in mode full', () => {
  assert.deepEqual(codes(judge([])), ['stops DHCP_NO_ADDRESSES'])
  assert.deepEqual(codes(judge([], 'full')), [])
  const other = capture('plain').map((offer) => ({ ...offer, server: '10.77.0.3', from: '10.77.0.3' }))
  assert.deepEqual(codes(judge([...capture('plain'), ...other])), ['hurts DHCP_SEVERAL_SERVERS'])
  assert.deepEqual(codes(judge(capture('plain'), 'full')), ['stops DHCP_RIVAL'])
})

test('addresses of another subnet: without a router nodes do not reach the server', () => {
  const elsewhere = (router: string) =>
    capture('plain').map((offer) => ({ ...offer, yiaddr: '10.78.0.5', router }))
  assert.deepEqual(codes(judge(elsewhere(''))), ['note DHCP_SITE_SERVER', 'stops DHCP_ADDRESS_UNREACHABLE'])
  assert.deepEqual(codes(judge(elsewhere('10.78.0.1'))), [
    'note DHCP_SITE_SERVER',
    'note DHCP_ADDRESS_UNREACHABLE',
  ])
})

test('an answer through a relay is said', () => {
  const relayed = capture('plain').map((offer) => ({ ...offer, from: '10.77.0.254', giaddr: '10.77.0.254' }))
  const findings = judge(relayed)
  assert.deepEqual(codes(findings), ['note DHCP_SITE_SERVER', 'note DHCP_RELAY'])
  assert.match(findings[1]?.seen ?? '', /10\.77\.0\.2 come through the relay 10\.77\.0\.254/)
})

test('a server of ours that answers not all kinds is told which', () => {
  const ours = (kind: Offer['kind'], file: string): Offer => ({
    ...(capture('plain')[0] ?? assert.fail()),
    kind,
    file,
    server: '10.77.0.1',
    from: '10.77.0.1',
    yiaddr: '',
  })
  const serving = { isServing: true }
  const some = [...capture('plain'), ours('bios', 'bios/undionly.kpxe'), ours('uefi-x64', 'x64/snponly.efi')]
  const findings = judge(some, 'proxy', serving)
  assert.deepEqual(codes(findings), [
    'note DHCP_SITE_SERVER',
    'stops DHCP_OWN_SILENT',
    'stops BOOT_SERVER_SILENT',
  ])
  assert.match(
    findings[1]?.seen ?? '',
    /did not answer UEFI PXE \(arm64\), UEFI HTTP boot \(x64\), iPXE within 6 s/,
  )
  const all = [
    ...some,
    ours('uefi-arm64', 'arm64/snponly.efi'),
    ours('http-x64', 'http://10.77.0.1:8480/v1/ipxe/bin/x64/ipxe.efi'),
    ours('ipxe', 'http://10.77.0.1:8480/v1/ipxe/script/02-00-00-00-00-01'),
  ]
  const answered = { ...serving, bootAnswers: [ours('uefi-x64', 'x64/snponly.efi')] }
  assert.deepEqual(codes(judge(all, 'proxy', answered)), ['note DHCP_SITE_SERVER'])
})

test('another DHCP server on this very machine is not taken for us', () => {
  const here = capture('bootfile').map((offer) => ({ ...offer, server: '10.77.0.1', from: '10.77.0.1' }))
  assert.deepEqual(codes(judge(here)), ['note DHCP_SITE_SERVER', 'hurts DHCP_RIVAL_BOOT'])
})
