/** The magic packet of Wake-on-LAN (AMD, publication 20213): six bytes of ones, then the card's address 16 times. Pure. */

/** @param mac `aa:bb:cc:dd:ee:ff` */
export function magicPacket(mac: string): Buffer {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex')
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array<Buffer>(16).fill(address)])
}
