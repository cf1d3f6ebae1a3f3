/** Controllers of machines (BMC): OpenIPMI's simulator, and a Redfish service that keeps to DMTF's schemas as far as power goes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  createCaCertificate,
  createEcKey,
  createServerCertificate,
} from '../../server/identity/certificates.js'
import { hangMs } from './limits.js'
import { end, until } from './processes.js'

/** Whom the controllers let in. */
export const bmcUser = 'admin'
export const bmcPassword = 's3;cret$x'

/** OpenIPMI's simulator on an address of the loopback. */
export interface IpmiController {
  /** `127.x.y.z:PORT` */
  readonly host: string
  /** What was done to the machine: `power 1`, `reset 1`. */
  done(): string[]
  isOn(): boolean
}

let controllers = 0

/** Starts one whose machine is on or off; resolves when it answers. */
export async function startIpmi(t: TestContext, directory: string, isOn: boolean): Promise<IpmiController> {
  // An address of this process's own: the simulator takes no free port.
  const address = `127.${64 + (process.pid >> 14)}.${(process.pid >> 6) & 255}.${((process.pid & 63) << 2) + (controllers++ % 4)}`
  const own = join(directory, `bmc${controllers}`)
  mkdirSync(join(own, 'state'), { recursive: true })
  const file = (name: string, text: string, mode = 0o644) => {
    writeFileSync(join(own, name), text, { mode })
    return join(own, name)
  }
  const power = file('power', isOn ? '1' : '0')
  const calls = file('calls', '')
  const chassis = `#!/bin/sh
shift
[ "$1" = set ] || { [ "$1" = get ] && echo "power:$(cat ${power})"; exit 0; }
echo "$2 $3" >> ${calls}
[ "$2" != power ] || printf %s "$3" > ${power}
`
  const allowed = ['callback', 'user', 'operator', 'admin'].map((priv) => `allowed_auths_${priv} md5`)
  // Without a GUID it opens no session of IPMI 2.0.
  const guid = 'guid a123456789abcdefa123456789abcdef'
  const lan = ['startlan 1', `addr ${address} 9623`, 'priv_limit admin', ...allowed, guid, 'endlan']
  const config = [
    'name "bmc"',
    ...lan,
    `chassis_control "${file('chassis', chassis, 0o755)} 0x20"`,
    `user 2 true "${bmcUser}" "${bmcPassword}" admin 10 md5`,
  ]
  const commands = [
    'mc_setbmc 0x20',
    'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02',
    'mc_enable 0x20',
  ]
  const child = spawn(
    'ipmi_sim',
    [
      ...['-n', '-c', file('lan.conf', `${config.join('\n')}\n`)],
      ...['-f', file('commands', `${commands.join('\n')}\n`), '-s', join(own, 'state')],
    ],
    { stdio: 'ignore' },
  )
  t.after(() => end(child, 'SIGKILL'))
  await until('the controller', async () => (answers(child, address) ? true : undefined))
  return {
    host: `${address}:9623`,
    done: () => readFileSync(calls, 'utf8').split('\n').filter(Boolean),
    isOn: () => readFileSync(power, 'utf8') === '1',
  }
}

function answers(child: ChildProcess, address: string): boolean {
  if (child.exitCode !== null) throw new Error(`ipmi_sim ended with ${child.exitCode}`)
  // The next try comes anyway.
  const once = ['-I', 'lanplus', '-N', '1', '-R', '1']
  const where = [...once, '-H', address, '-p', '9623', '-U', bmcUser, '-P', bmcPassword]
  const { status } = spawnSync('ipmitool', [...where, 'chassis', 'power', 'status'], { timeout: hangMs })
  return status === 0
}

/** A Redfish service. */
export interface RedfishController {
  readonly url: string
  readonly caPem: string
  /** SHA-256 of its certificate, hex with colons. */
  readonly fingerprint: string
  /** Requests: `POST /redfish/v1/... {"ResetType":"On"}`. */
  readonly asked: string[]
  power: 'On' | 'Off'
  /** Answers in its own way where it gives true. */
  answer: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
}

const systemPath = '/redfish/v1/Systems/437XR1138R2'
const resetPath = `${systemPath}/Actions/ComputerSystem.Reset`

/** Starts one on the loopback, whose machine is on. */
export async function startRedfish(t: TestContext): Promise<RedfishController> {
  const [caKey, key] = [await createEcKey(), await createEcKey()]
  const nowMs = Date.now()
  const caPem = await createCaCertificate(createPrivateKey(caKey), 'bmc', nowMs)
  const ca = { certificate: caPem, key: createPrivateKey(caKey) }
  const cert = await createServerCertificate(createPrivateKey(key), ca, ['127.0.0.1'], nowMs)
  const own: RedfishController = {
    ...{ url: '', caPem, fingerprint: new X509Certificate(cert).fingerprint256, asked: [] },
    ...{ power: 'On', answer: undefined },
  }
  const server = createServer({ cert, key }, (request, response) => {
    void answerRedfish(own, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return Object.assign(own, { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

async function answerRedfish(own: RedfishController, request: IncomingMessage, response: ServerResponse) {
  let body = ''
  for await (const part of request) body += part
  const { method = '', url = '', headers } = request
  own.asked.push(`${method} ${url}${body === '' ? '' : ` ${body}`}`)
  if (own.answer?.(request, response) === true) return
  const send = (status: number, value?: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(value && JSON.stringify(value))
  const refuse = (status: number, text: string) =>
    send(status, {
      error: {
        ...{ code: 'Base.1.8.GeneralError', message: 'A general error has occurred.' },
        '@Message.ExtendedInfo': [{ MessageId: 'Base.1.8.ActionParameterNotSupported', Message: text }],
      },
    })
  const basic = Buffer.from(`${bmcUser}:${bmcPassword}`).toString('base64')
  if (headers.authorization !== `Basic ${basic}`) return refuse(401, 'no valid session')
  if (method === 'GET' && url === '/redfish/v1/Systems')
    return send(200, { Members: [{ '@odata.id': systemPath }], 'Members@odata.count': 1 })
  if (method === 'GET' && url === systemPath)
    return send(200, {
      '@odata.id': systemPath,
      PowerState: own.power,
      Actions: {
        '#ComputerSystem.Reset': {
          target: resetPath,
          'ResetType@Redfish.AllowableValues': ['On', 'ForceOff', 'GracefulRestart', 'ForceRestart'],
        },
      },
    })
  if (method !== 'POST' || url !== resetPath) return refuse(404, `there is no ${url}`)
  const { ResetType: type } = JSON.parse(body) as { ResetType: string }
  if (type === 'On' && own.power === 'On') return refuse(409, 'it is on')
  own.power = 'On'
  return send(204)
}
