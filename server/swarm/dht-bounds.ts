/**
 * Bounds what bittorrent-dht keeps and answers. By itself it names all nodes that it knows in every answer, and keeps whatever
 * one address announces.
 */

import type DHT from 'bittorrent-dht'
import { DhtPeers } from './dht-peers.js'

/** BEP 5: the closest 8 nodes. */
const answerNodesMax = 8
/** Node identities of one address in the routing table: as many as a bucket holds. */
const nodesPerAddressMax = 20

/** To be called once, before it listens. */
export function boundDht(dht: DHT): void {
  dht._peers.destroy()
  dht._peers = new DhtPeers(() => performance.now(), Math.random)
  const { nodes } = dht._rpc
  const closest = nodes.closest.bind(nodes)
  nodes.closest = (id, count = answerNodesMax) => closest(id, count)
  const perAddress = new Map<string, number>()
  const count = (host: string, by: number): void => {
    const sum = (perAddress.get(host) ?? 0) + by
    if (sum > 0) perAddress.set(host, sum)
    else perAddress.delete(host)
  }
  nodes.on('added', ({ host }) => count(host, 1))
  nodes.on('removed', ({ host }) => count(host, -1))
  const addNode = dht._rpc._addNode.bind(dht._rpc)
  dht._rpc._addNode = (node) => {
    if ((perAddress.get(node.host) ?? 0) < nodesPerAddressMax) addNode(node)
  }
}
