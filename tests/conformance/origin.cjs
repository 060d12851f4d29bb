// Preloaded into the suite's origin, for two things that it has no option for.
const net = require('net')
const { ServerResponse } = require('http')

// Without an address it would listen on every interface.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, ...rest)
}

// A test that sets Connection makes Node keep the connection open although the request said "close"; the client would
// use it again, and Node would answer 400 to data after "close".
const setHeader = ServerResponse.prototype.setHeader
ServerResponse.prototype.setHeader = function (name, value) {
  return setHeader.call(this, name, name.toLowerCase() === 'connection' ? `${value}, close` : value)
}
