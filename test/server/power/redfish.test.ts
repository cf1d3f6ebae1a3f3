import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resetOf, systemOf } from '../../../server/power/redfish.js'

const target = '/redfish/v1/Systems/1/Actions/ComputerSystem.Reset'
const system = (PowerState: string, allowed?: readonly string[]) => ({
  body: {
    PowerState,
    Actions: {
      '#ComputerSystem.Reset': {
        target,
        ...(allowed === undefined ? {} : { 'ResetType@Redfish.AllowableValues': allowed }),
      },
    },
  },
})

test('what is asked of a system follows from its state and from what it takes', () => {
  const typeOf = (action: 'wake' | 'reboot', ...args: Parameters<typeof system>) =>
    resetOf(action, system(...args))?.type
  assert.equal(typeOf('reboot', 'On'), 'ForceRestart')
  assert.equal(typeOf('reboot', 'On', ['On', 'PowerCycle']), 'PowerCycle')
  assert.equal(typeOf('reboot', 'Off', ['On', 'ForceRestart']), 'On')
  assert.equal(typeOf('wake', 'Off'), 'On')
  assert.equal(typeOf('wake', 'On'), undefined)
  assert.equal(typeOf('wake', 'PoweringOff', ['ForceOn']), 'ForceOn')
  assert.throws(() => typeOf('reboot', 'On', ['On']), /offers none of ForceRestart, PowerCycle/)
})

test('answers that are no systems are refused', () => {
  for (const body of [
    undefined,
    null,
    [],
    'x',
    {},
    { Actions: [] },
    { Actions: { '#ComputerSystem.Reset': {} } },
  ])
    assert.throws(() => resetOf('reboot', { body }), /offers no reset/)
  for (const path of [
    'https://evil/redfish/v1',
    '//evil/redfish/',
    '/other',
    '/redfish/a b',
    '/redfish/\r\nx: y',
    7,
  ]) {
    const body = { Actions: { '#ComputerSystem.Reset': { target: path } } }
    assert.throws(() => resetOf('reboot', { body }), /none of its own|no reset/, String(path))
  }
})

test('the only system of a service', () => {
  const member = (path: unknown) => ({ '@odata.id': path })
  assert.equal(systemOf({ body: { Members: [member('/redfish/v1/Systems/1')] } }), '/redfish/v1/Systems/1')
  for (const body of [undefined, {}, { Members: 7 }, { Members: [] }, { Members: [null, member(7)] }])
    assert.throws(() => systemOf({ body }), /has no systems/)
  const two = { Members: [member('/redfish/v1/Systems/a'), member('/redfish/v1/Systems/b')] }
  assert.throws(
    () => systemOf({ body: two }),
    /power\.redfish\.url has to name one: .*Systems\/a, .*Systems\/b/,
  )
  assert.throws(() => systemOf({ body: { Members: [member('https://evil/')] } }), /none of its own/)
})
