/** All groups of checks, in the order in which their findings are printed. */

import type { Check } from './check.js'
import { dhcpCheck } from './dhcp/check.js'
import { portsCheck } from './ports/check.js'

export const checks: readonly Check[] = [portsCheck, dhcpCheck]
