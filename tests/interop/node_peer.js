// The other end: zeromq for Node, which does what it is told. Commands and answers are those of
// zmq_peer.py; NODE_PATH says where the package is.
'use strict'

const readline = require('readline')
const zmq = require('zeromq')

const sockets = new Map()
const text = (frame) => frame.toString('latin1')
const bytes = (frame) => Buffer.from(frame, 'latin1')

const commands = {
  open({ socket, type, options }) {
    sockets.set(socket, new zmq[type]({ linger: 5000, ...options }))
  },
  async bind({ socket, endpoint }) {
    await sockets.get(socket).bind(endpoint)
    return sockets.get(socket).lastEndpoint
  },
  connect({ socket, endpoint }) {
    sockets.get(socket).connect(endpoint)
  },
  subscribe({ socket, prefix }) {
    sockets.get(socket).subscribe(bytes(prefix))
  },
  async send({ socket, messages }) {
    for (const message of messages) await sockets.get(socket).send(message.map(bytes))
  },
  async receive({ socket, count, timeout }) {
    const received = []
    sockets.get(socket).receiveTimeout = timeout * 1000
    try {
      while (received.length < count) received.push((await sockets.get(socket).receive()).map(text))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
    return received
  },
  close({ socket }) {
    sockets.get(socket).close()
    sockets.delete(socket)
  },
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    let answer
    try {
      answer = { result: (await commands[command.do](command)) ?? null }
    } catch (error) {
      answer = { error: String(error) }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  for (const socket of sockets.values()) socket.close()
}

main()
