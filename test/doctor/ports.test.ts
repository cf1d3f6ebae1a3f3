import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clinic } from './support.js'

test('a port that somebody else has is found with the process, for root and for others', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const pid = await clinic.hold(t, 69)
  const found = await clinic.doctor('--check', 'ports')
  assert.match(
    found.of('PORT_TAKEN')?.seen ?? '',
    new RegExp(`^UDP port 69 \\(TFTP\\) belongs to node, process ${pid}`),
  )
  assert.equal(found.of('PORT_TAKEN')?.remedy, `end it: kill ${pid}`)
  assert.equal(found.exit, 1)

  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const less = await clinic.doctorAs(asNobody)
  assert.match(less.of('PORT_TAKEN')?.seen ?? '', /a process of user id 0/)
  assert.ok(
    less.left_out.some((text) => /DHCP.*needs root/.test(text)),
    less.left_out.join(),
  )
})
