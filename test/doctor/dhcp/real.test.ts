import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Clinic } from '../support.js'

test('beside dnsmasq and a running server: all kinds of firmware are answered, and the site’s server is named', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  await clinic.dnsmasq(t)
  const server = await clinic.place.start()
  const about = /^(DHCP_(?!SITE)|BOOT_SERVER|PORT_|NETBOOT_|SERVER_|TFTP)/
  const found = await clinic.doctorUntil(
    (now) => now.of('DHCP_SITE_SERVER') !== undefined && !now.codes().some((code) => about.test(code)),
  )
  assert.match(found.of('DHCP_SITE_SERVER')?.seen ?? '', /10\.77\.0\.2/)
  assert.deepEqual(
    found.codes().filter((code) => about.test(code)),
    [],
    JSON.stringify(found.findings),
  )
  // Nothing was taken: dnsmasq has written no lease.
  assert.equal(readFileSync(join(clinic.place.site.dir, 'site.leases'), 'utf8'), '')
  await server.kill('SIGTERM')
})

test('nobody gives addresses, then a broken server, then two: each is found', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const nobody = await clinic.doctor()
  assert.deepEqual(nobody.codes('stops').includes('DHCP_NO_ADDRESSES'), true)
  assert.equal(nobody.exit, 1)
  assert.match(nobody.of('SERVER_NOT_RUNNING')?.remedy ?? '', /sudo/)

  // Option 60 as pxe-less guides on the web have it.
  await clinic.dnsmasq(t, ['--dhcp-option-force=60,PXEClient'])
  const broken = await clinic.doctorUntil((found) => found.of('DHCP_PXECLIENT_WITHOUT_43') !== undefined)
  assert.match(broken.of('DHCP_PXECLIENT_WITHOUT_43')?.seen ?? '', /lan0: 10\.77\.0\.2 .*without option 43/)
  assert.equal(broken.of('DHCP_PXECLIENT_WITHOUT_43')?.severity, 'stops')
  assert.equal(broken.of('DHCP_NO_ADDRESSES'), undefined)

  clinic.place.wire.client('rogue', '52:54:00:00:00:bb')
  clinic.place.wire.run('rogue', 'ip', 'address', 'add', '10.77.0.3/24', 'dev', 'eth0')
  await clinic.dnsmasq(t, ['--dhcp-boot=pxelinux.0'], 'rogue', '10.77.0.200,10.77.0.210')
  const two = await clinic.doctorUntil(
    (found) => found.of('DHCP_SEVERAL_SERVERS') !== undefined && found.of('DHCP_RIVAL_BOOT') !== undefined,
  )
  assert.match(
    two.of('DHCP_SEVERAL_SERVERS')?.seen ?? '',
    /10\.77\.0\.2.*10\.77\.0\.3|10\.77\.0\.3.*10\.77\.0\.2/,
  )
  assert.match(two.of('DHCP_RIVAL_BOOT')?.seen ?? '', /10\.77\.0\.3 tells .*pxelinux\.0/)
  assert.equal(two.of('DHCP_RIVAL_BOOT')?.severity, 'hurts')
})

test('mode full: alone nothing is wrong; another server beside it stops a boot', async (t) => {
  const full =
    '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.50-10.77.0.60}]}'
  const clinic = Clinic.make(t, full)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  await clinic.place.start()
  const alone = await clinic.doctorUntil((found) => !found.codes().some((code) => code.startsWith('DHCP_')))
  assert.deepEqual(
    alone.codes().filter((code) => code.startsWith('DHCP_')),
    [],
    JSON.stringify(alone.findings),
  )
  await clinic.dnsmasq(t)
  const rival = await clinic.doctorUntil((found) => found.of('DHCP_RIVAL') !== undefined)
  assert.match(rival.of('DHCP_RIVAL')?.seen ?? '', /10\.77\.0\.2 gives addresses too/)
  assert.equal(rival.exit, 1)
})
