/** What the doctor finds: codes, how bad each is, and what to do. A code keeps its meaning for ever (docs/doctor.md). */

/** `stops`: a machine will not boot; `hurts`: some may not, or slowly, or later; `note`: good to know. */
export type Severity = 'stops' | 'hurts' | 'note'

/** From worst to least. */
export const severities: readonly Severity[] = ['stops', 'hurts', 'note']

/** Every code and how bad it is where the finding itself does not say otherwise. */
export const findingCodes = {
  ADDRESS_DUPLICATE: 'stops',
  ADDRESS_LOOPBACK: 'stops',
  ADDRESS_NOT_HERE: 'hurts',
  ADDRESS_OF_BRIDGE: 'stops',
  ADDRESS_OTHER_LAN: 'hurts',
  BIND_ELSEWHERE: 'stops',
  BOOT_FILES_MISSING: 'stops',
  BOOT_PROGRAM_MISSING: 'stops',
  BOOT_SERVER_SILENT: 'stops',
  BRIDGE_FILTERED: 'hurts',
  CATALOG_EMPTY: 'stops',
  CERTIFICATE_ENDS: 'hurts',
  CERTIFICATE_OTHER_ADDRESS: 'stops',
  CERTIFICATE_OTHER_CA: 'stops',
  CLOCK_UNSYNCED: 'note',
  CLOCK_WRONG: 'hurts',
  CONNTRACK_SMALL: 'hurts',
  DATA_DIR_OPEN: 'hurts',
  DHCP_ADDRESS_UNREACHABLE: 'stops',
  DHCP_NO_ADDRESSES: 'stops',
  DHCP_OWN_SILENT: 'stops',
  DHCP_PXECLIENT_WITHOUT_43: 'stops',
  DHCP_RELAY: 'note',
  DHCP_RIVAL: 'stops',
  DHCP_RIVAL_BOOT: 'hurts',
  DHCP_SEVERAL_SERVERS: 'hurts',
  DHCP_SITE_SERVER: 'note',
  DISK_LOW: 'hurts',
  FILES_LIMIT: 'hurts',
  FIREWALL_DROPS: 'stops',
  FIREWALL_MAY_DROP: 'hurts',
  INOTIFY_LOW: 'note',
  INTERFACE_MISSING: 'stops',
  INTERFACE_NO_ADDRESS: 'stops',
  KEY_PERMISSIONS: 'stops',
  LINK_DOWN: 'stops',
  LINK_ERRORS: 'hurts',
  LINK_HALF_DUPLEX: 'hurts',
  LINK_MTU: 'hurts',
  LINK_SLOW: 'hurts',
  MEMORY_LOW: 'hurts',
  NEIGHBOURS_SMALL: 'hurts',
  NETBOOT_NOT_ALLOWED: 'stops',
  NETBOOT_OFF: 'note',
  PORT_NOT_OPEN: 'stops',
  PORT_TAKEN: 'stops',
  RACK_TOO_LARGE: 'hurts',
  RECEIVE_BUFFER_SMALL: 'note',
  ROUTE_BACK_FILTERED: 'hurts',
  ROUTE_MISSING: 'stops',
  SERVER_NOT_RUNNING: 'note',
  STAGE1_DAMAGED: 'stops',
  STAGE1_INCOMPLETE: 'stops',
  STAGE1_OTHER_KERNEL: 'stops',
  STAGE1_OTHER_TRUST: 'stops',
  STAGE1_UNCOMPRESSED: 'hurts',
  STP_DELAY: 'hurts',
  STP_ON_WIRE: 'note',
  SUBNET_TWICE: 'hurts',
  TFTP_SILENT: 'stops',
} as const satisfies Record<string, Severity>

/** A code of the table. */
export type FindingCode = keyof typeof findingCodes

/** One thing that was found. */
export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  /** What was seen, with names and numbers. */
  readonly seen: string
  /** What to do; a command where there is one. */
  readonly remedy: string
}

/** Makes a finding, as bad as its code says or as given. */
export function finding(
  code: FindingCode,
  seen: string,
  remedy: string,
  severity: Severity = findingCodes[code],
): Finding {
  return { code, severity, seen, remedy }
}
