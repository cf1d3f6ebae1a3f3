/**
 * Redfish over HTTPS (DMTF DSP0266): finds the system of a service, and asks for a reset of it (DSP0268, ComputerSystem.Reset). What
 * decides is pure, below; a controller is a small computer that anybody may have got at, so its answers are bounded and checked.
 */
import type { ActionKind } from './action-run.js'
import { type RedfishAnswer, RedfishConnection } from './redfish-connection.js'
import type { RedfishTarget } from './ways.js'

/** The collection of a service's systems. */
const systemsPath = '/redfish/v1/Systems'

/** What is done to a system; undefined: it is as it should be. */
export type Reset = { readonly target: string; readonly type: string } | undefined

/** Wakes or reboots. */
export async function controlByRedfish(
  action: ActionKind,
  target: RedfishTarget,
  secrets: { readonly password: string; readonly ca: string | undefined },
  ended: AbortSignal,
): Promise<void> {
  const connection = new RedfishConnection(target, secrets, ended)
  const own = new URL(target.url).pathname.replace(/\/+$/, '')
  const path = own.startsWith(`${systemsPath}/`) ? own : systemOf(await connection.get(systemsPath))
  const reset = resetOf(action, await connection.get(path))
  if (reset !== undefined) await connection.post(reset.target, { ResetType: reset.type })
}

/** The only system of a collection. @throws Error if there are none or several */
export function systemOf({ body }: RedfishAnswer): string {
  const members = isObject(body) && Array.isArray(body.Members) ? body.Members : []
  const paths = members.flatMap((member: unknown) =>
    isObject(member) && typeof member['@odata.id'] === 'string' ? [member['@odata.id']] : [],
  )
  const [path] = paths
  if (path !== undefined && paths.length === 1) return checkedPath(path)
  if (path === undefined) throw new Error(`its Redfish service has no systems below ${systemsPath}`)
  const names = paths.slice(0, 8).join(', ')
  throw new Error(`its Redfish service has several systems, so power.redfish.url has to name one: ${names}`)
}

/** What an action asks of a system as it is. @throws Error if the system does not know it */
export function resetOf(action: ActionKind, { body }: RedfishAnswer): Reset {
  const system = isObject(body) ? body : {}
  const isOff = system.PowerState === 'Off'
  if (action === 'wake' && system.PowerState === 'On') return undefined
  const actions = isObject(system.Actions) ? system.Actions : {}
  const found = actions['#ComputerSystem.Reset']
  if (!isObject(found) || typeof found.target !== 'string')
    throw new Error('its Redfish service offers no reset of this system')
  const allowed: unknown = found['ResetType@Redfish.AllowableValues']
  const wanted =
    action === 'wake' || isOff ? ['On', 'ForceOn'] : ['ForceRestart', 'PowerCycle', 'GracefulRestart']
  // A service may name the values elsewhere (ActionInfo), or nowhere: then it says itself what it does not take.
  const type = Array.isArray(allowed) ? wanted.find((one) => allowed.includes(one)) : wanted[0]
  if (type === undefined) throw new Error(`its Redfish service offers none of ${wanted.join(', ')}`)
  return { target: checkedPath(found.target), type }
}

/** A path of the service itself: nobody else gets the password. */
function checkedPath(path: string): string {
  if (/^\/redfish\/[\x21-\x7e]{1,512}$/.test(path)) return path
  throw new Error('its Redfish service names a path that is none of its own')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
