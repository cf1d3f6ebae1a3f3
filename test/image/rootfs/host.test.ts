import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseMode, type Host } from '../../../image/rootfs/host.js'

const able: Host = {
  uid: 1000,
  user: 'rig',
  hasNewuidmap: true,
  subuid: 'other:1:2\nrig:100000:65536\n',
  subgid: '1000:100000:65536\n',
  namespaces: true,
}

test('root builds as root, others in a user namespace', () => {
  assert.equal(chooseMode({ ...able, uid: 0, hasNewuidmap: false, subuid: '', namespaces: false }), 'root')
  assert.equal(chooseMode(able), 'unshare')
})

test('what is missing is named with the command that mends it', () => {
  assert.throws(() => chooseMode({ ...able, hasNewuidmap: false }), /apt-get install -y uidmap/)
  assert.throws(() => chooseMode({ ...able, subuid: 'rig:100000:1000\n' }), /usermod --add-subuids .* rig$/)
  assert.throws(() => chooseMode({ ...able, subgid: '' }), /usermod/)
  assert.throws(() => chooseMode({ ...able, namespaces: false }), /sysctl -w .* or run this as root/)
})
