import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readIptables } from '../../../doctor/firewall/iptables.js'
import { judgeFirewall } from '../../../doctor/firewall/judge.js'
import { readNft } from '../../../doctor/firewall/nft.js'
import { fuzzed } from '../../fuzz.js'
import { makeSite } from '../support-site.js'

const ufw = readFileSync('test/doctor/firewall/ufw.iptables-save', 'utf8')
const facts = { manager: undefined, filteredBridges: [] }

test('ufw as Debian enables it drops all of ours that comes in, and the command that mends it is ufw’s', () => {
  const found = judgeFirewall({ ...facts, tables: readIptables(ufw), manager: 'ufw' }, makeSite())
  assert.deepEqual(
    found.map(({ code }) => code),
    ['FIREWALL_DROPS', 'FIREWALL_DROPS'],
  )
  const [udp, tcp] = found
  assert.match(udp?.seen ?? '', /drops incoming packets on lan0: UDP 67 \(DHCP\), UDP 69 .*, UDP 4011/)
  assert.equal(udp?.remedy, 'sudo ufw allow in on lan0 proto udp to any port 67,69,4011,6881')
  assert.equal(tcp?.remedy, 'sudo ufw allow in on lan0 proto tcp to any port 6881,8443,8480')
})

test('with those two rules ufw lets all of it through', () => {
  const rules = [
    '-A ufw-user-input -i lan0 -p udp -m multiport --dports 67,69,4011,6881 -j ACCEPT',
    '-A ufw-user-input -i lan0 -p tcp -m multiport --dports 6881,8443,8480 -j ACCEPT',
  ]
  const opened = ufw.replace(/^COMMIT$/m, `${rules.join('\n')}\nCOMMIT`)
  assert.deepEqual(judgeFirewall({ ...facts, tables: readIptables(opened), manager: 'ufw' }, makeSite()), [])
})

test('what a rule asks that is not known may drop, and is not said to drop', () => {
  const text = [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    '-A INPUT -m set --match-set nodes src -j DROP',
    'COMMIT',
  ].join('\n')
  const found = judgeFirewall({ ...facts, tables: readIptables(text) }, makeSite())
  assert.ok(found.length > 0 && found.every(({ code }) => code === 'FIREWALL_MAY_DROP'))
  assert.match(found[0]?.seen ?? '', /match-set nodes src/)
})

test('a bridge whose traffic is filtered: Docker’s policy of FORWARD', () => {
  const text =
    '*filter\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\nCOMMIT'
  const judge = (more: string) =>
    judgeFirewall(
      {
        ...facts,
        tables: readIptables(text.replace('COMMIT', `${more}\nCOMMIT`)),
        filteredBridges: ['lan0'],
      },
      makeSite(),
    ).map(({ code }) => code)
  assert.deepEqual(judge(''), ['BRIDGE_FILTERED'])
  assert.deepEqual(judge('-A FORWARD -i lan0 -o lan0 -j ACCEPT'), [])
})

test('listings that no tool prints are read without an error', () => {
  for (const junk of fuzzed(Buffer.from(ufw), 3, 300)) readIptables(junk.toString('latin1'))
  for (const junk of [
    undefined,
    null,
    1,
    [],
    {},
    { nftables: [1, { rule: null }, { table: { family: 'ip' } }] },
  ]) {
    assert.ok(Array.isArray(readNft(junk, new Map(), true)))
  }
})
