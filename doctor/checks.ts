/** All groups of checks, in the order in which their findings are printed. */

import { bootCheck } from './boot/check.js'
import type { Check } from './check.js'
import { dhcpCheck } from './dhcp/check.js'
import { firewallCheck } from './firewall/check.js'
import { identityCheck } from './identity/check.js'
import { machineCheck } from './machine/check.js'
import { networkCheck } from './network/check.js'
import { portsCheck } from './ports/check.js'
import { tftpCheck } from './tftp/check.js'

export const checks: readonly Check[] = [
  networkCheck,
  portsCheck,
  firewallCheck,
  bootCheck,
  identityCheck,
  machineCheck,
  tftpCheck,
  dhcpCheck,
]
