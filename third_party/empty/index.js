throw new Error('uTP is not part of bootswarm')
