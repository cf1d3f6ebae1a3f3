/** Real machines from the kernel's start to the root file system, through the stage 1 that `image stage1` makes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { STAGE1_BUDGET_BYTES } from '../../src/limits.js'
import { machineHangMs } from '../support/limits.js'
import { askApi } from '../support/operator-api.js'
import { until } from '../support/processes.js'
import { Stage1Site } from '../support/stage1.js'

const limit = { timeout: machineHangMs }
const settings = 'plugin=here pool=pool\\.example:3333'

test('a root file system in an archive', { ...limit, concurrency: 2 }, async (t) => {
  const groups = 'groups: [{name: swarm, match: {dmi: {product: "Swarm *"}, pci: "1af4:*"}}]\n'
  const site = await Stage1Site.make(t, { config: groups })
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  const { kernel, stage1, warnings } = site.report

  /** What the server was told of a node that does not boot. */
  const failure = async (node: string) => {
    const line = await until(`${node} to report`, async () =>
      site.daemon.lines.find((one) => one.event === 'node.boot.failed' && one.msg.startsWith(`${node} `)),
    )
    return line.msg.replace(/^.* did not boot: /, '')
  }

  const budget = t.test('kernel and stage 1 stay within what the server’s link is given for them', () => {
    assert.ok(kernel.bytes + stage1.bytes <= STAGE1_BUDGET_BYTES, `${kernel.bytes} + ${stage1.bytes}`)
    assert.deepEqual(warnings, [])
  })

  /** What the server knows of a node, once it knows what its machine is. */
  const known = (node: string) =>
    until(`the inventory of ${node}`, async () => {
      const ask = async (path: string) => {
        const { body } = await askApi(
          { dataDir: site.place.site.data },
          'GET',
          `/api/v1/nodes/${node}${path}`,
        )
        return body
      }
      const { inventory } = await ask('')
      return inventory ? { inventory, groups: (await ask('/config')).groups } : undefined
    })

  const enters = t.test('is unpacked into memory and entered; the agent lives on', async () => {
    const words = 'console=tty0 console=ttyS0 bootswarm.break=switch'
    const [mac, uuid] = ['52:54:00:00:00:01', '6ba7b810-9dad-11d1-80b4-00c04fd430c8']
    const smbios = `type=1,manufacturer=Example Works,product=Swarm 9,version=Default string,serial=SN-0042,uuid=${uuid}`
    const machine = site.boot(t, { mac, words, smbios })
    // A switch port that is not forwarding yet.
    site.place.wire.server('ip', 'link', 'set', 'tap01', 'nomaster')
    await machine.says(/no answer from a DHCP server at eth0 for \d+ s/)
    site.place.wire.server('ip', 'link', 'set', 'tap01', 'master', 'lan0')
    await machine.says(/bootswarm\.break=switch: exit goes on.*#/)
    machine.types('echo 1st-$(cat /sysroot/etc/hostname)-2nd')
    await machine.says(/1st-node-525400000001-2nd/)
    machine.types('exit')
    await machine.says(
      new RegExp(`ROOT-IS-UP host=node-525400000001 fs=tmpfs agents=1 swaps=0 ${settings} bulk=1000000\\.`),
    )
    const { inventory, groups } = await known(mac)
    const { vendor, product, version, serial, firmware, cpus, nics, pci } = inventory
    assert.deepEqual(
      { vendor, product, version, serial, uuid: inventory.uuid, firmware, cpus },
      {
        vendor: 'Example Works',
        product: 'Swarm 9',
        version: undefined,
        serial: 'SN-0042',
        uuid,
        firmware: 'bios',
        cpus: 1,
      },
    )
    assert.deepEqual([nics.length, nics[0].mac, nics[0].driver], [1, mac, 'virtio_net'])
    assert.ok(
      pci.some((kind: object) => isDeepStrictEqual(kind, { class: '0200', id: '1af4:1000', count: 1 })),
      JSON.stringify(pci),
    )
    assert.deepEqual(groups, ['swarm'], 'from its next boot on')
  })

  const stops = t.test(
    'is not entered when something is wrong: tried again, by itself and by a shell',
    async () => {
      const words = 'bootswarm.port=none bootswarm.node=rig-stopped'
      const machine = site.boot(t, { mac: '52:54:00:00:00:02', words, card: 'e1000' })
      await machine.says(
        /CONFIG_INVALID: bootswarm\.port: not a number.*STOPPED: the agent ended with exit code 1.*trying again in \d+ s; Enter opens a shell/,
      )
      // The server has heard it, though the agent could not so much as begin.
      assert.equal(
        await failure('rig-stopped'),
        'CONFIG_INVALID: bootswarm.port: not a number in range: "none"',
      )
      await machine.says(/STOPPED.*trying again in \d+ s; Enter opens a shell.*STOPPED/)
      machine.types('')
      await machine.says(/exit tries again, reboot -f restarts the machine.*#/)
      machine.types('exit')
      await machine.says(/#.*trying again.*CONFIG_INVALID.*STOPPED/)
    },
  )

  const killed = t.test(
    'is filled by another agent when one is killed, and the server hears of it',
    async () => {
      const words = 'bootswarm.break=agent bootswarm.node=rig-killed'
      const machine = site.boot(t, { mac: '52:54:00:00:00:05', words })
      await machine.says(/bootswarm\.break=agent: exit goes on.*#/)
      // What the agent loads takes half a minute like this: it is killed long before it is done.
      const shape = ['rate', '256kbit', 'burst', '8kb', 'latency', '1s']
      site.place.wire.server('tc', 'qdisc', 'add', 'dev', 'tap05', 'root', 'tbf', ...shape)
      // As the kernel does it that is out of memory: to one process. Of the agent's two, parent and child, the other ends
      // by itself; killing both here might fail for the second, and go on to the agent that reports.
      machine.types(
        `(until pids=$(pidof bootswarm-agent) && kill -9 \${pids%% *}; do sleep 0.1; done) 2>/dev/null & exit`,
      )
      await machine.says(
        /STOPPED: the agent was killed, most likely because the root.*does not fit into the \d+ MB/,
      )
      assert.match(await failure('rig-killed'), /^AGENT_KILLED: .* root: zram, a squashfs image/)
      site.place.wire.server('tc', 'qdisc', 'del', 'dev', 'tap05', 'root')
      await machine.says(/ROOT-IS-UP host=rig-killed fs=tmpfs agents=1/)
    },
  )
  await Promise.all([budget, enters, stops, killed])
})

test('a root file system in a squashfs', { ...limit, concurrency: 2 }, async (t) => {
  const site = await Stage1Site.make(t, { squashfs: true })
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  await t.test('is mounted below an overlay, with plugins over it', async () => {
    const machine = site.boot(t, {
      mac: '52:54:00:00:00:03',
      card: 'e1000e',
      words: 'ip=10.77.0.55::10.77.0.1:255.255.255.0',
    })
    await machine.says(/address 10\.77\.0\.55\/255\.255\.255\.0 from the kernel command line/)
    await machine.says(new RegExp(`ROOT-IS-UP \\S+ fs=overlay agents=1 swaps=0 ${settings} bulk=1000000\\.`))
  })
})

test('a root file system larger than memory, with compressed memory', limit, async (t) => {
  const site = await Stage1Site.make(t, { bulkBytes: 150_000_000 })
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  const machine = site.boot(t, { mac: '52:54:00:00:00:04', words: 'bootswarm.root=zram', memoryMb: 176 })
  await machine.says(new RegExp(`ROOT-IS-UP \\S+ fs=tmpfs agents=1 swaps=1 ${settings} bulk=150000000\\.`))
})
